"""What goes wrong in an account: nothing is lost, nothing is there twice."""

import json
import random
from collections.abc import Callable

import numpy as np
import pytest
from tests.standins.bedrock import embedding_for
from tests.system.cloud import Cloud, Crashes, assert_same
from tests.system.deployment import SOURCE

from nestor import media
from nestor.adapters.nova import pace
from nestor.domain import DIMENSIONS
from nestor.pipeline import plan


def paragraphs(count: int, about: str) -> bytes:
    """Return a text that is cut into so many segments."""
    return "\n\n".join(
        f"Part {number} of {about}. " + f"{about} " * (700 // (len(about) + 1)) for number in range(count)
    ).encode()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a throttled embedder try again at once; read texts in this process, which saves half a second each."""
    monkeypatch.setattr(pace, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(plan, "read_apart", media.read)


def test_short_storm(cloud: Cloud) -> None:
    """Throttling that ends soon is waited out within the function."""
    cloud.bedrock.faults.storm(4)
    uri = cloud.upload("a.txt", paragraphs(3, "swallows"))
    assert sorted(cloud.asset(uri)[256]) == [0, 1, 2]
    assert [name for name, _ in cloud.invoked] == ["plan", "embed_sync", "store_embeddings"]


def test_long_storm(cloud: Cloud) -> None:
    """Throttling that outlasts a function's patience is waited out by the state machine."""
    cloud.bedrock.faults.storm(40, "ServiceUnavailableException", status=503)
    uri = cloud.upload("a.txt", paragraphs(3, "swallows"))
    assert sorted(cloud.asset(uri)[256]) == [0, 1, 2]
    failures = [answer for name, answer in cloud.invoked if name == "embed_sync" and "errorType" in answer]
    assert {answer["errorType"] for answer in failures} == {"Retryable"}


def test_endless_storm(cloud: Cloud) -> None:
    """Throttling without an end becomes a dead letter; started again later, it is stored."""
    cloud.bedrock.faults.storm(2_000)
    uri = cloud.upload("a.txt", paragraphs(2, "swallows"), expect="FAILED")
    assert cloud.asset(uri)[256] == {}
    (letter,) = cloud.letters()
    assert letter["error"]["Error"] == "Retryable"
    cloud.bedrock.faults.errors.clear()
    assert cloud.redrive() == {"redriven": 1, "left": 0}
    assert sorted(cloud.asset(uri)[256]) == [0, 1]
    assert cloud.letters() == []


def test_storm_on_jobs(cloud: Cloud) -> None:
    """Throttled starts of jobs and looks at them are tried again by the state machine."""
    cloud.bedrock.faults.storm(3)
    uri = cloud.upload("long.txt", paragraphs(30, "swallows"))
    assert len(cloud.asset(uri)[256]) > 20
    assert len(cloud.bedrock.of("StartAsyncInvoke")) == 4


def test_refused_segment(cloud: Cloud) -> None:
    """A segment whose content is blocked is told of; the others are stored; the next version clears the word."""
    cloud.bedrock.faults.refused = lambda body: "Part 1" in body["singleEmbeddingParams"]["text"]["value"]
    uri = cloud.upload("a.txt", paragraphs(3, "swallows"))
    assert [sorted(found) for found in cloud.asset(uri).values()] == [[0, 2]] * 4
    stored = cloud.invoked[-1][1]
    assert (stored["segments"], [each["segment"] for each in stored["refused"]]) == (2, [1])
    manifest = cloud.manifest(uri)
    assert manifest is not None
    assert manifest["segments"] == 3
    assert "Segment 1 was not embedded (RAI_VIOLATION_INPUT_TEXT_DEFLECTION" in manifest["warnings"][0]
    cloud.bedrock.faults.refused = None
    cloud.upload("a.txt", paragraphs(3, "swifts"))
    assert [sorted(found) for found in cloud.asset(uri).values()] == [[0, 1, 2]] * 4


def test_stale_key_of_a_refused_segment(cloud: Cloud) -> None:
    """What an older version had stored for a segment that is refused now, is removed."""
    uri = cloud.upload("a.txt", paragraphs(3, "swallows"))
    cloud.bedrock.faults.refused = lambda body: "Part 1" in body["singleEmbeddingParams"]["text"]["value"]
    cloud.upload("a.txt", paragraphs(3, "swifts"))
    assert [sorted(found) for found in cloud.asset(uri).values()] == [[0, 2]] * 4


def test_failed_segments_of_a_video(cloud: Cloud, sample: Callable[[str], bytes]) -> None:
    """What a job may embed another time is cut out and embedded; what it never will is reported."""
    cloud.bedrock.faults.failed_segments = {1: "RATE_LIMIT_EXCEEDED", 2: "INVALID_CONTENT"}
    uri = cloud.upload("nasa.mp4", sample("videos/nasa.mp4"))
    (call,) = cloud.bedrock.of("InvokeModel")
    assert call.document["singleEmbeddingParams"]["video"]["format"] == "mp4"
    for segments in cloud.asset(uri).values():
        assert {index: metadata["start_seconds"] for index, (_, metadata) in segments.items()} == {0: 0, 1: 5}
    stored = cloud.invoked[-1][1]
    assert [(each["segment"], each["reason"]) for each in stored["refused"]] == [(2, "INVALID_CONTENT")]


def test_failed_segments_of_a_text(cloud: Cloud) -> None:
    """Segments of a text that a job failed or forgot are embedded one by one, from exactly their characters."""
    text = paragraphs(30, "swallows")
    uri = cloud.upload("whole.txt", text)
    cloud.bedrock.faults.failed_segments = {3: "INTERNAL_SERVER_EXCEPTION"}
    cloud.bedrock.faults.missing_segments = {5}
    again = cloud.upload("failed.txt", text)
    assert_same(cloud.asset(again), cloud.asset(uri))
    assert len(cloud.bedrock.of("InvokeModel")) == 2
    vector, metadata = cloud.asset(again)[3072][5]
    said = text.decode()[metadata["start_char"] : metadata["end_char"]]
    np.testing.assert_allclose(vector, embedding_for(said), atol=1e-6)


def test_segments_that_never_succeed(cloud: Cloud, sample: Callable[[str], bytes]) -> None:
    """After two rounds without success a segment is reported, and the rest is stored."""
    cloud.bedrock.faults.failed_segments = {0: "RATE_LIMIT_EXCEEDED"}
    cloud.bedrock.faults.refused = lambda body: "video" in body["singleEmbeddingParams"]
    uri = cloud.upload("nasa.mp4", sample("videos/nasa.mp4"))
    assert sorted(cloud.asset(uri)[384]) == [1, 2]
    assert [each["segment"] for each in cloud.invoked[-1][1]["refused"]] == [0]


def test_failed_job(cloud: Cloud) -> None:
    """A job that fails becomes a dead letter; started again it is another job, and is stored."""
    cloud.bedrock.faults.job_failure = "The job failed."
    text = paragraphs(30, "swallows")
    uri = cloud.upload("long.txt", text, expect="FAILED")
    (letter,) = cloud.letters()
    assert "The job failed." in json.dumps(letter["error"])
    cloud.bedrock.faults.job_failure = ""
    assert cloud.redrive()["redriven"] == 1
    assert len(cloud.asset(uri)[1024]) > 20
    assert len({call.document["clientRequestToken"] for call in cloud.bedrock.of("StartAsyncInvoke")}) == 2


WRITES = 3 + 1 + 10
"""The segments, the plan, the manifest; the embeddings; the manifest, four puts, four deletes, the manifest."""


def _crash_at_writes(cloud: Cloud, *, after: bool, first: int = 0, step: int = 1) -> int:
    """Return the number of the write at which there was none any more."""
    clean = cloud.upload("clean.txt", paragraphs(3, "swallows"))
    cloud.upload("clean.txt", paragraphs(1, "swifts"))
    expected = cloud.asset(clean)
    at = first
    while True:
        key = f"crash-{at}.txt"
        uri = cloud.upload(key, paragraphs(3, "swallows"))
        cloud.crashes = Crashes(at=at, after=after)
        cloud.upload(key, paragraphs(1, "swifts"))
        assert_same(cloud.asset(uri), expected)
        manifest = cloud.manifest(uri)
        assert manifest is not None
        assert (manifest["status"], manifest["segments"]) == ("stored", 1)
        if not cloud.crashes.crashed:
            return at
        cloud.delete(key)
        at += step


def test_crash_after_writes(cloud: Cloud) -> None:
    """A function that dies after one of its writes is called again, and the end is the same; every third is tried."""
    at = _crash_at_writes(cloud, after=True, first=random.randrange(3), step=3)  # noqa: S311 - of the run's seed
    assert WRITES <= at < WRITES + 3


@pytest.mark.slow
@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_crash_at_every_write(cloud: Cloud, *, after: bool) -> None:
    """The same after, and before, any of its writes."""
    assert _crash_at_writes(cloud, after=after) == WRITES


@pytest.mark.parametrize("after", [pytest.param(False, marks=pytest.mark.slow), True], ids=["before", "after"])
def test_forget_crashes_at_every_write(cloud: Cloud, *, after: bool) -> None:
    """Forgetting that dies at a write is completed by the next delivery of its message."""
    at, step = (0, 1) if not after else (random.randrange(2), 2)  # noqa: S311 - of the run's seed
    while True:
        uri = cloud.upload("gone.txt", paragraphs(2, "swallows"))
        cloud.s3.delete_object(Bucket=SOURCE, Key="gone.txt")
        cloud.crashes = Crashes(at=at, after=after)
        _, failed = cloud.invoke("forget", json.dumps(cloud.deleted("gone.txt")))
        assert failed is cloud.crashes.crashed
        cloud.told_deleted("gone.txt")
        assert cloud.asset(uri) == {dimension: {} for dimension in DIMENSIONS}
        assert cloud.manifest(uri) is None
        if not cloud.crashes.crashed:
            assert 6 <= at < 6 + step
            return
        at += step


def test_duplicate_events(cloud: Cloud) -> None:
    """One upload told twice at the same time is one asset."""
    once = cloud.upload("once.txt", paragraphs(3, "swallows"))
    uri = cloud.put("twice.txt", paragraphs(3, "swallows"))
    both = [cloud.start(cloud.created("twice.txt")) for _ in range(2)]
    assert [cloud.finished(each)["status"] for each in both] == ["SUCCEEDED"] * 2
    assert_same(cloud.asset(uri), cloud.asset(once))


def test_reordered_events(cloud: Cloud) -> None:
    """Events that come late or in the wrong order count for nothing: what the object is now counts."""
    uri = cloud.put("a.txt", paragraphs(2, "swallows"))
    cloud.s3.delete_object(Bucket=SOURCE, Key="a.txt")
    cloud.told_deleted("a.txt")
    cloud.run(cloud.created("a.txt"))
    assert cloud.asset(uri)[256] == {}
    assert cloud.manifest(uri) is None
    cloud.upload("a.txt", paragraphs(2, "swallows"))
    cloud.told_deleted("a.txt")
    assert sorted(cloud.asset(uri)[256]) == [0, 1]


@pytest.mark.parametrize("write", ["PUT nestor-state/manifests", "PutVectors"], ids=["manifest", "rows"])
@pytest.mark.parametrize("function", ["plan", "store"])
def test_overwritten_meanwhile(cloud: Cloud, write: str, function: str) -> None:
    """A version that is overtaken by the next one while it is planned or stored does not stay."""
    new = cloud.upload("new.txt", paragraphs(2, "swifts"))
    uri = cloud.put("a.txt", paragraphs(3, "swallows"))

    def overtake() -> None:
        cloud.put("a.txt", paragraphs(2, "swifts"))
        cloud.by_hand("a.txt")

    cloud.crashes = Crashes()
    if function == "plan" or write == "PutVectors":
        cloud.crashes.meanwhile[write] = overtake
    else:
        cloud.crashes.meanwhile["PUT nestor-work/embeddings"] = overtake
    cloud.run(cloud.created("a.txt"))
    assert not cloud.crashes.meanwhile
    assert_same(cloud.asset(uri), cloud.asset(new))
    manifest = cloud.manifest(uri)
    assert manifest is not None
    assert manifest["status"] == "stored"


def test_deleted_while_it_is_stored(cloud: Cloud) -> None:
    """An object that is deleted and forgotten while its rows are put leaves none of them."""
    uri = cloud.put("a.txt", paragraphs(3, "swallows"))

    def delete() -> None:
        cloud.s3.delete_object(Bucket=SOURCE, Key="a.txt")
        cloud.call("forget", {"uri": uri})

    cloud.crashes.meanwhile["PutVectors"] = delete
    cloud.run(cloud.created("a.txt"))
    assert cloud.asset(uri) == {dimension: {} for dimension in DIMENSIONS}
    assert cloud.manifest(uri) is None


def test_back_while_it_is_forgotten(cloud: Cloud) -> None:
    """An object that comes back and is stored while its old rows are removed is not taken for stored."""
    new = cloud.upload("new.txt", paragraphs(2, "swifts"))
    uri = cloud.upload("a.txt", paragraphs(3, "swallows"))
    cloud.s3.delete_object(Bucket=SOURCE, Key="a.txt")

    def come_back() -> None:
        cloud.put("a.txt", paragraphs(2, "swifts"))
        cloud.by_hand("a.txt")

    cloud.crashes.meanwhile["DeleteVectors"] = come_back
    assert cloud.call("forget", cloud.deleted("a.txt"))["batchItemFailures"]
    manifest = cloud.manifest(uri)
    assert manifest is not None
    assert manifest["status"] == "deleting"
    assert cloud.call("forget", cloud.deleted("a.txt"))["batchItemFailures"], "it is not stored yet"
    cloud.run(cloud.created("a.txt"))
    cloud.told_deleted("a.txt")
    assert_same(cloud.asset(uri), cloud.asset(new))
