"""What an asynchronous job leaves behind."""

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.standins.bedrock import Bedrock, clip_embedding, embedding_for

from nestor.adapters.nova import results
from nestor.adapters.nova.requests import client_token, segmented
from nestor.adapters.nova.results import MISSING, SegmentResult, parse_line, read_job, read_lines, write_line
from nestor.domain import Modality
from nestor.errors import EmbedderUnavailable, EmbeddingFailed, ObjectMissing

Job = Callable[..., str]

TEXT = "A heron stands in the shallow water and waits for a fish. " * 60
"""3,480 characters."""


def wav(seconds: float) -> bytes:
    """Return silence."""
    out = io.BytesIO()
    with av.open(out, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, round(seconds * 8_000)), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


@pytest.fixture
def text_job(buckets: Any, job: Job) -> Job:
    """Return a function that embeds the text by a job in segments of 1,000 characters."""
    buckets.kept["s3://source/heron.txt"] = TEXT.encode()
    return lambda: job(segmented(Modality.TEXT, "s3://source/heron.txt", characters=1_000))


def test_a_text_job(buckets: Any, text_job: Job) -> None:
    """Every segment with its place and the embedding of exactly that text."""
    found = list(read_job(buckets, text_job()))
    assert [each.index for each in found] == [0, 1, 2, 3]
    assert "".join(TEXT[each.start_char : each.end_char] for each in found) == TEXT
    for each in found:
        assert each.embedding is not None
        np.testing.assert_allclose(each.embedding, embedding_for(TEXT[each.start_char : each.end_char]), atol=1e-7)
        assert (each.reason, each.retryable, each.start_seconds) == ("", False, None)


@pytest.mark.parametrize("blog_names", [False, True], ids=["guide", "blog"])
def test_a_sound_job_by_either_names(bedrock: Bedrock, buckets: Any, job: Job, *, blog_names: bool) -> None:
    """Seconds are read whichever names they have."""
    bedrock.faults.blog_names = blog_names
    content = buckets.kept["s3://source/a.wav"] = wav(7)
    found = list(read_job(buckets, job(segmented(Modality.AUDIO, "s3://source/a.wav", format="wav", seconds=3))))
    assert [(each.start_seconds, each.end_seconds) for each in found] == [(0, 3), (3, 6), (6, 7)]
    assert found[1].embedding is not None
    np.testing.assert_allclose(found[1].embedding, clip_embedding(content, 3, 6), atol=1e-7)


def test_a_video_job_and_its_own_file_name(buckets: Any, job: Job, root: Path) -> None:
    """The combined embeddings are found under the name that the summary gives."""
    buckets.kept["s3://source/nasa.mp4"] = (root / "samples/videos/nasa.mp4").read_bytes()
    uri = job(segmented(Modality.VIDEO, "s3://source/nasa.mp4", format="mp4"))
    assert f"{uri}/embedding-audio-video.jsonl" in buckets.kept
    assert [each.index for each in read_job(buckets, uri)] == list(range(math.ceil(13.056 / 5)))


def test_an_image_job_has_one_segment(buckets: Any, job: Job, root: Path) -> None:
    """Its output is a document, not lines."""
    buckets.kept["s3://source/a.jpg"] = (root / "samples/images/kitchen.jpg").read_bytes()
    (found,) = read_job(buckets, job(segmented(Modality.IMAGE, "s3://source/a.jpg", format="jpeg")))
    assert found.index == 0
    assert found.embedding is not None


def test_failed_segments_come_with_their_reason(bedrock: Bedrock, buckets: Any, text_job: Job) -> None:
    """A completed job can hold them; only some are worth another attempt."""
    bedrock.faults.failed_segments = {0: "RATE_LIMIT_EXCEEDED", 1: "INVALID_CONTENT", 3: "INTERNAL_SERVER_EXCEPTION"}
    found = {each.index: each for each in read_job(buckets, text_job())}
    assert set(found) == {0, 1, 2, 3}
    assert [found[index].retryable for index in range(4)] == [True, False, False, True]
    assert found[1].embedding is None
    assert (found[1].reason, found[1].message) == ("INVALID_CONTENT", "It failed with INVALID_CONTENT.")
    assert found[2].embedding is not None


def test_segments_that_are_not_there_are_told_of(bedrock: Bedrock, buckets: Any, text_job: Job) -> None:
    """A gap between segments is no success; it may be filled."""
    bedrock.faults.missing_segments = {1}
    found = {each.index: each for each in read_job(buckets, text_job())}
    assert found[1].reason == MISSING
    assert found[1].retryable
    assert found[1].embedding is None
    assert set(found) == {0, 1, 2, 3}


def test_a_summary_that_tells_of_failures_and_no_line_that_does(bedrock: Bedrock, buckets: Any, text_job: Job) -> None:
    """Something was dropped and nobody knows what: an error, at the end of what is there."""
    bedrock.faults.summary_status = "PARTIAL_SUCCESS"
    with pytest.raises(EmbeddingFailed, match="does not tell what failed"):
        list(read_job(buckets, text_job()))


@pytest.mark.parametrize(
    ("entry", "error", "complaint"),
    [
        (
            {"status": "FAILURE", "failureReason": "INVALID_CONTENT", "message": "No."},
            EmbeddingFailed,
            "INVALID_CONTENT",
        ),
        ({"status": "FAILED", "failureReason": "RATE_LIMIT_EXCEEDED"}, EmbedderUnavailable, "RATE_LIMIT"),
        (None, EmbeddingFailed, "tells of nothing"),
    ],
    ids=["for good", "for now", "nothing"],
)
def test_a_job_that_embedded_nothing(
    buckets: Any, entry: dict[str, Any] | None, error: type[Exception], complaint: str
) -> None:
    """It is an error, retryable when the reason is."""
    entries = [] if entry is None else [{"embeddingType": "TEXT", **entry}]
    summary = {"sourceFileUri": "s3://s/k", "embeddingDimension": 3072, "embeddingResults": entries}
    buckets.kept["s3://results/j/segmented-embedding-result.json"] = json.dumps(summary).encode()
    with pytest.raises(error, match=complaint) as raised:
        list(read_job(buckets, "s3://results/j"))
    assert type(raised.value) is error


def test_output_that_is_not_there_is_no_empty_result(buckets: Any, text_job: Job) -> None:
    """Without the summary, or with a file of no lines."""
    with pytest.raises(ObjectMissing):
        list(read_job(buckets, "s3://results/nowhere"))
    uri = text_job()
    buckets.kept[f"{uri}/embedding-text.jsonl"] = b"\n"
    with pytest.raises(EmbeddingFailed, match="no segment"):
        list(read_job(buckets, uri))


def test_other_sizes_and_several_kinds_are_refused(buckets: Any, text_job: Job) -> None:
    """Whoever started that job asked for something else."""
    uri = text_job()
    name = f"{uri}/{results.SUMMARY}"
    summary = json.loads(buckets.kept[name])
    buckets.kept[name] = json.dumps(summary | {"embeddingDimension": 1024}).encode()
    with pytest.raises(EmbeddingFailed, match="1024"):
        list(read_job(buckets, uri))
    both = [{**summary["embeddingResults"][0], "embeddingType": kind} for kind in ("AUDIO", "VIDEO")]
    buckets.kept[name] = json.dumps(summary | {"embeddingResults": both}).encode()
    with pytest.raises(EmbeddingFailed, match="AUDIO, VIDEO"):
        list(read_job(buckets, uri))


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"segmentMetadata": 3, "status": "SUCCESS", "embedding": [1]}',
        b'{"segmentMetadata": {"segmentIndex": 0}, "status": "SUCCESS", "embedding": [1, 2]}',
        b'{"segmentMetadata": {"segmentIndex": 0}, "status": "SUCCESS", "embedding": ["x"]}',
    ],
)
def test_a_line_that_cannot_be_understood_is_an_error(buckets: Any, line: bytes) -> None:
    """With the file and the number of the line."""
    buckets.kept["s3://results/a.jsonl"] = write_line(SegmentResult(index=0, reason="INVALID_CONTENT")) + line
    with pytest.raises(EmbeddingFailed, match=r"(?i)line 2 of s3://results/a\.jsonl"):
        list(read_lines(buckets, "s3://results/a.jsonl"))


def test_a_segment_twice_is_an_error(buckets: Any, text_job: Job) -> None:
    """One of the two would be lost."""
    uri = text_job()
    name = f"{uri}/embedding-text.jsonl"
    buckets.kept[name] += buckets.kept[name].splitlines(keepends=True)[0]
    with pytest.raises(EmbeddingFailed, match="segment 0 twice"):
        list(read_job(buckets, uri))


@pytest.mark.parametrize(
    "result",
    [
        SegmentResult(index=7, embedding=embedding_for("heron"), start_char=5, end_char=9, truncated=4),
        SegmentResult(index=0, embedding=embedding_for("fish"), start_seconds=0.0, end_seconds=5.0),
        SegmentResult(index=3, start_seconds=0.5, end_seconds=1.0, reason="INVALID_CONTENT", message="No."),
    ],
    ids=["text", "sound", "failed"],
)
def test_own_lines_are_read_as_the_models_are(result: SegmentResult) -> None:
    """Nothing is lost on the way, to the last bit."""
    line = write_line(result)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    again = parse_line(line)
    if result.embedding is None:
        assert again == result
    else:
        assert again.embedding is not None
        assert again.embedding.tobytes() == result.embedding.tobytes()
        assert (again.index, again.start_char, again.end_char) == (result.index, result.start_char, result.end_char)
        assert (again.start_seconds, again.end_seconds) == (result.start_seconds, result.end_seconds)
        assert again.truncated == result.truncated


def test_a_line_without_an_index_counts_by_its_place() -> None:
    """A success without numbers is a failure that says nothing."""
    assert parse_line(b'{"status": "SUCCESS"}', number=4) == SegmentResult(index=4, reason="UNKNOWN")


def test_starting_twice_with_one_token_gives_one_job(client: Any, buckets: Any) -> None:
    """The token of a run starts it once; with another input it is a conflict."""
    buckets.kept["s3://source/heron.txt"] = TEXT.encode()
    call = {
        "modelId": "amazon.nova-2-multimodal-embeddings-v1:0",
        "modelInput": segmented(Modality.TEXT, "s3://source/heron.txt"),
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://results/async/"}},
        "clientRequestToken": client_token("id", "run"),
    }
    first, second = (client.start_async_invoke(**call)["invocationArn"] for _ in range(2))
    assert first == second
    with pytest.raises(client.exceptions.ConflictException):
        client.start_async_invoke(**call | {"modelInput": segmented(Modality.TEXT, "s3://source/other.txt")})
