"""The stand-in for Bedrock refuses what the guide does not allow: else the tests that lean on it would prove little."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.standins.bedrock import MODEL_ID, Bedrock, embedding_for

from nestor.adapters.nova.requests import Detail, image, segmented, text, video
from nestor.domain import Modality

JPEG = b"\xff\xd8\xff\xe0 as far as anybody looks"
Invoke = Callable[[Any], Any]


@pytest.fixture
def invoke(client: Any) -> Invoke:
    """Return a function that invokes the model with a body and gives the answer's body."""

    def ask(body: Any) -> Any:
        answer = client.invoke_model(modelId=MODEL_ID, body=json.dumps(body), contentType="application/json")
        return json.loads(answer["body"].read())

    return ask


def changed(body: dict[str, Any], *path: str, value: Any) -> dict[str, Any]:
    """Return the body with one member set, or left out where the value is None."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


P = "singleEmbeddingParams"


@pytest.mark.parametrize(
    "body",
    [
        changed(text("a"), "taskType", value=None),
        changed(text("a"), "taskType", value="SEGMENTED_EMBEDDING"),
        changed(text("a"), "schemaVersion", value="nova-multimodal-embed-v2"),
        changed(text("a"), "model", value="nova"),
        changed(text("a"), P, "embeddingPurpose", value=None),
        changed(text("a"), P, "embeddingPurpose", value="RETRIEVAL"),
        changed(text("a"), P, "embeddingDimension", value=512),
        changed(text("a"), P, "text", "truncationMode", value=None),
        changed(text("a"), P, "text", "value", value="a" * 8_193),
        changed(text("a"), P, "text", "value", value=""),
        changed(text("a"), P, "text", "source", value={"bytes": "YQ=="}),
        changed(text("a"), P, "image", value=image(JPEG)[P]["image"]),
        changed(image(JPEG), P, "image", "format", value="jpg"),
        changed(image(JPEG), P, "image", "format", value="png"),
        changed(image(JPEG), P, "image", "detailLevel", value="HIGH"),
        changed(image(JPEG), P, "image", "source", value={}),
        changed(image(JPEG), P, "image", "source", "bytes", value="no Base64!"),
        changed(image(JPEG), P, "image", "source", value={"s3Location": {"uri": "s3://source/absent.jpg"}}),
        changed(video(JPEG), P, "video", "embeddingMode", value=None),
        changed(video(JPEG), P, "video", "embeddingMode", value="VIDEO_ONLY"),
        video(b"\0\0\0\x18ftypisom this is no film"),
    ],
    ids=lambda body: json.dumps(body)[-70:],
)
def test_a_body_that_the_guide_does_not_allow_is_refused(client: Any, invoke: Invoke, body: Any) -> None:
    """With a ValidationException, as botocore reads it."""
    with pytest.raises(client.exceptions.ValidationException) as raised:
        invoke(body)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert raised.value.response["Error"]["Message"]


def test_what_the_guide_allows_is_answered(invoke: Invoke, buckets: Any) -> None:
    """By the bytes or by the address in S3 the same; at each size the beginning of the same embedding."""
    buckets.kept["s3://source/a.jpg"] = JPEG
    inline, stored = invoke(image(JPEG)), invoke(image("s3://source/a.jpg", detail=Detail.DOCUMENT_IMAGE))
    assert inline == stored
    assert inline["embeddings"][0]["embeddingType"] == "IMAGE"
    whole = np.array(invoke(text("heron"))["embeddings"][0]["embedding"])
    for size in (256, 384, 1024):
        part = np.array(invoke(text("heron", dimension=size))["embeddings"][0]["embedding"])
        np.testing.assert_allclose(part, whole[:size] / np.linalg.norm(whole[:size]), atol=1e-6)
    assert np.linalg.norm(embedding_for("heron")) == pytest.approx(1, abs=1e-6)


def test_the_two_tracks_of_a_video_apart(invoke: Invoke, root: Any) -> None:
    """Two embeddings, told apart by their type."""
    body = video((root / "samples/videos/flower.mp4").read_bytes())
    body = changed(body, P, "video", "embeddingMode", value="AUDIO_VIDEO_SEPARATE")
    assert {each["embeddingType"] for each in invoke(body)["embeddings"]} == {"VIDEO", "AUDIO"}


def test_more_than_thirty_seconds_are_refused(client: Any, invoke: Invoke, root: Any) -> None:
    """In a call; a job takes them."""
    with pytest.raises(client.exceptions.ValidationException, match="30 seconds"):
        invoke(video((root / "samples/videos/bottles.mp4").read_bytes()))


@pytest.mark.parametrize(
    "model_input",
    [
        changed(
            segmented(Modality.TEXT, "s3://s/k"),
            "segmentedEmbeddingParams", "text", "segmentationConfig", "maxLengthChars", value=799,
        ),
        changed(
            segmented(Modality.VIDEO, "s3://s/k", format="mp4"),
            "segmentedEmbeddingParams", "video", "segmentationConfig", value={"durationSeconds": 5.0},
        ),
        changed(
            segmented(Modality.IMAGE, "s3://s/k", format="png"),
            "segmentedEmbeddingParams", "image", "source", value={"bytes": base64.b64encode(JPEG).decode()},
        ),
        text("a"),
    ],
    ids=["characters", "float", "inline", "single"],
)  # fmt: skip
def test_a_job_that_the_guide_does_not_allow_is_not_started(client: Any, model_input: Any) -> None:
    """With a ValidationException at once."""
    with pytest.raises(client.exceptions.ValidationException):
        client.start_async_invoke(
            modelId=MODEL_ID,
            modelInput=model_input,
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://results/async/"}},
        )


def test_the_life_of_a_job(bedrock: Bedrock, client: Any, buckets: Any) -> None:
    """InProgress as often as it is told to be, then Completed with output below the prefix, or Failed with why."""
    buckets.kept["s3://source/a.txt"] = b"A heron."
    bedrock.faults.in_progress = 2

    def start(key: str) -> str:
        started = client.start_async_invoke(
            modelId=MODEL_ID,
            modelInput=segmented(Modality.TEXT, f"s3://source/{key}"),
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://results/async/x/"}},
        )
        return str(started["invocationArn"])

    good, absent = start("a.txt"), start("absent.txt")
    assert [client.get_async_invoke(invocationArn=good)["status"] for _ in range(3)] == [
        "InProgress",
        "InProgress",
        "Completed",
    ]
    ended = client.get_async_invoke(invocationArn=good)
    folder = ended["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
    assert folder == f"s3://results/async/x/{good.rpartition('/')[2]}"
    assert ended["endTime"] >= ended["submitTime"]
    names = {"segmented-embedding-result.json", "manifest.json", "embedding-text.jsonl"}
    assert {f"{folder}/{name}" for name in names} == set(buckets.kept) - {"s3://source/a.txt"}
    states = [client.get_async_invoke(invocationArn=absent) for _ in range(3)]
    assert states[-1]["status"] == "Failed"
    assert "absent.txt cannot be read" in states[-1]["failureMessage"]
    listed = client.list_async_invokes(maxResults=1, sortOrder="Ascending")
    rest = client.list_async_invokes(maxResults=1, sortOrder="Ascending", nextToken=listed["nextToken"])
    both = [page["asyncInvokeSummaries"][0]["invocationArn"] for page in (listed, rest)]
    assert (both, "nextToken" in rest) == ([good, absent], False)
    failed = client.list_async_invokes(statusEquals="Failed")["asyncInvokeSummaries"]
    assert [each["invocationArn"] for each in failed] == [absent]


def test_a_job_that_is_told_to_fail(bedrock: Bedrock, client: Any) -> None:
    """It writes nothing."""
    bedrock.faults.in_progress, bedrock.faults.job_failure = 0, "The moon was full."
    arn = client.start_async_invoke(
        modelId=MODEL_ID,
        modelInput=segmented(Modality.TEXT, "s3://source/a.txt"),
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://results/async/"}},
    )["invocationArn"]
    state = client.get_async_invoke(invocationArn=arn)
    assert (state["status"], state["failureMessage"]) == ("Failed", "The moon was full.")


def test_planning_a_job_loads_no_client() -> None:
    """Requests and results are for functions that start cold: neither brings botocore with it."""
    code = (
        "import sys, nestor.adapters.nova.requests, nestor.adapters.nova.results; "
        "sys.exit(' '.join({'boto3', 'botocore', 'av', 'PIL'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
