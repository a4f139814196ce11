"""The embedder over real HTTP."""

import base64
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import (
    BotoCoreError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from tests.standins.bedrock import SECRET, Bedrock, Fault, embedding_for

from nestor.adapters.nova import EMBEDDER_ID
from nestor.adapters.nova.client import client as make_client
from nestor.adapters.nova.embedder import ASKED_SEGMENTS, NovaEmbedder
from nestor.adapters.nova.errors import translated
from nestor.adapters.nova.pace import Pace
from nestor.domain import Modality, Segment, Span
from nestor.errors import EmbedderThrottled, EmbedderUnavailable, EmbeddingFailed, InvalidInput, SegmentsRefused
from nestor.media import ReadOptions, read

Made = Callable[..., NovaEmbedder]


def texts(*words: str) -> list[Segment]:
    """Return text segments."""
    return [Segment(index, Modality.TEXT, Span(), word) for index, word in enumerate(words)]


def params(bedrock: Bedrock) -> list[Mapping[str, Any]]:
    """Return what was asked, call by call."""
    return [call.document["singleEmbeddingParams"] for call in bedrock.of("InvokeModel")]


@pytest.fixture
def made(client: Any) -> Made:
    """Return a function that makes an embedder with so many attempts, which waits for nothing."""

    def make(*, attempts: int = 6, client: Any = client, **more: Any) -> NovaEmbedder:
        pace = Pace(requests_per_minute=10**9, concurrency=4, attempts=attempts, sleep=lambda _: None)
        return NovaEmbedder(client, pace=pace, **more)

    return make


def test_rows_keep_the_order_of_the_segments(bedrock: Bedrock, embedder: NovaEmbedder) -> None:
    """Forty segments in four threads: row n is of segment n; no more than four calls at a time."""
    bedrock.faults.delay = 0.005
    words = [f"word{number}" for number in range(40)]
    rows = embedder.embed_segments(texts(*words))
    assert rows.shape == (40, 3072)
    assert rows.dtype == np.float32
    for word, row in zip(words, rows, strict=True):
        np.testing.assert_allclose(row, embedding_for(word), atol=1e-6)
    assert 1 < bedrock.most_at_once <= 4
    assert {each["embeddingPurpose"] for each in params(bedrock)} == {"GENERIC_INDEX"}
    assert embedder.id == EMBEDDER_ID


def test_no_segments_no_calls(bedrock: Bedrock, embedder: NovaEmbedder) -> None:
    """An empty batch is an empty answer."""
    assert embedder.embed_segments([]).shape == (0, 3072)
    assert bedrock.calls == []


def test_each_modality_is_asked_for_in_its_own_way(bedrock: Bedrock, embedder: NovaEmbedder, root: Path) -> None:
    """Pages as documents, pictures as pictures, clips as sound or video; where there is none of these, the text."""
    options = ReadOptions(clips=True)
    samples = root / "samples"
    read_ = [
        read(samples / name, options).segments[0]
        for name in ("images/kitchen.jpg", "pdf/nbgrader.pdf", "audio/jfk.mp3", "videos/nasa.mp4")
    ]
    bare = [Segment(9, Modality.VIDEO, Span(), "only words"), Segment(9, Modality.DOCUMENT, Span(), "a slide")]
    single = NovaEmbedder(bedrock.client(), pace=Pace(requests_per_minute=10**9, concurrency=1))
    assert single.embed_segments([*read_, *bare]).shape == (6, 3072)
    asked = params(bedrock)
    assert asked[0]["image"]["detailLevel"] == "STANDARD_IMAGE"
    assert asked[1]["image"]["detailLevel"] == "DOCUMENT_IMAGE"
    assert asked[2]["audio"]["format"] == "mp3"
    assert asked[3]["video"]["format"] == "mp4"
    assert base64.b64decode(asked[3]["video"]["source"]["bytes"]) == read_[3].clip
    assert [each["text"]["value"] for each in asked[4:]] == ["only words", "a slide"]


def test_a_clip_of_thirty_seconds_stays_below_the_limit(
    bedrock: Bedrock, embedder: NovaEmbedder, tmp_path: Path
) -> None:
    """The worst there is to encode, noise in full HD: the body is far below 25,000,000 bytes, and accepted."""
    import av

    path = tmp_path / "noise.mp4"
    random = np.random.default_rng(5)
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1920, 1080, "yuv420p", 40_000_000
        for _ in range(60):
            noise = random.integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    reading = read(path, ReadOptions(clips=True, segment_seconds=30))
    assert reading.segments[0].clip is not None
    embedder.embed_segments(reading.segments)
    (call,) = bedrock.of("InvokeModel")
    assert "video" in call.document["singleEmbeddingParams"]
    assert call.size < 25_000_000 / 4


@pytest.mark.parametrize(
    ("modality", "purpose"),
    [(None, "GENERIC_RETRIEVAL"), *((each, f"{each.name}_RETRIEVAL") for each in Modality)],
    ids=str,
)
def test_a_question_says_what_it_asks(
    bedrock: Bedrock, embedder: NovaEmbedder, modality: Modality | None, purpose: str
) -> None:
    """An index of all kinds, unless it is known to be of one."""
    row = embedder.embed_text_query("a heron", modality=modality)
    np.testing.assert_allclose(row, embedding_for("a heron"), atol=1e-6)
    (asked,) = params(bedrock)
    assert asked["embeddingPurpose"] == purpose


def test_near_words_are_nearer_than_others(embedder: NovaEmbedder) -> None:
    """What the stand-in promises to the tests of search."""
    question = embedder.embed_text_query("heron in shallow water")
    near, far = embedder.embed_segments(texts("a heron stands in the water", "how to teach programming"))
    assert question @ near > 0.4
    assert question @ far < 0.2


def test_a_file_that_asks_is_the_middle_of_its_segments(bedrock: Bedrock, embedder: NovaEmbedder) -> None:
    """Of all when they are few, else of sixteen from its whole length."""
    row = embedder.embed_segments_query(texts("heron", "fish"))
    middle = embedding_for("heron") + embedding_for("fish")
    np.testing.assert_allclose(row, middle / np.linalg.norm(middle), atol=1e-6)
    bedrock.calls.clear()
    embedder.embed_segments_query(texts(*(f"word{number}" for number in range(160))))
    asked = {each["text"]["value"] for each in params(bedrock)}
    assert asked == {f"word{number}" for number in range(0, 160, 160 // ASKED_SEGMENTS)}
    assert {each["embeddingPurpose"] for each in params(bedrock)} == {"GENERIC_RETRIEVAL"}
    with pytest.raises(InvalidInput):
        embedder.embed_segments_query([])
    with pytest.raises(InvalidInput, match="empty"):
        embedder.embed_text_query("  ")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("ModelTimeoutException", 408),
        ("ModelErrorException", 424),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
    ],
)
def test_a_storm_is_waited_out(bedrock: Bedrock, made: Made, code: str, status: int) -> None:
    """What may succeed again is asked again, each call by itself; in the end every row is there."""
    bedrock.faults.storm(5, code, status=status)
    rows = made().embed_segments(texts("one", "two", "three"))
    np.testing.assert_allclose(rows[2], embedding_for("three"), atol=1e-6)
    assert len(bedrock.calls) == 8


def test_a_storm_that_does_not_end_is_told_of(bedrock: Bedrock, made: Made) -> None:
    """After so many attempts and not one more, as an error that may be tried again, in the service's own words."""
    bedrock.faults.storm(100)
    with pytest.raises(EmbedderThrottled, match=r"ThrottlingException \(429\): Too many requests") as raised:
        made(attempts=3).embed_text_query("a heron")
    assert raised.value.retryable
    assert len(bedrock.calls) == 3


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (
            Fault("AccessDeniedException", "User is not authorized.", status=403),
            r"bedrock:InvokeModel on arn:aws:bedrock",
        ),
        (Fault("UnrecognizedClientException", "The token is invalid.", status=403), "AWS_PROFILE"),
        (Fault("ExpiredTokenException", "Expired.", status=403), "AWS_PROFILE"),
        (Fault("ResourceNotFoundException", "No such model.", status=404), "NESTOR_MODEL_ID"),
        (Fault("ValidationException", "The provided model identifier is invalid."), "NESTOR_MODEL_ID"),
        (Fault("ValidationException", "Malformed input request: 2 schema violations found"), "schema violations"),
        (Fault("ServiceQuotaExceededException", "Too much for today."), "Too much for today"),
    ],
    ids=lambda value: value.code if isinstance(value, Fault) else "",
)
def test_what_is_wrong_for_all_segments_ends_the_work(
    bedrock: Bedrock, embedder: NovaEmbedder, fault: Fault, complaint: str
) -> None:
    """At once, with what to mend; it is not taken for a refusal of the segments."""
    bedrock.faults.errors = [fault] * 50
    with pytest.raises(EmbeddingFailed, match=complaint) as raised:
        embedder.embed_segments(texts("one", "two"))
    assert not raised.value.retryable
    assert not isinstance(raised.value, SegmentsRefused)
    assert len(bedrock.calls) <= 2


def test_refused_content_costs_its_segment_only(bedrock: Bedrock, embedder: NovaEmbedder) -> None:
    """The others have their rows, the refused ones a reason and zeros; nothing is asked twice."""
    bedrock.faults.refused = lambda body: "forbidden" in body["singleEmbeddingParams"].get("text", {}).get("value", "")
    broken = Segment(2, Modality.IMAGE, Span(), "a broken picture", image=b"this is no JPEG")
    blank = Segment(3, Modality.TEXT, Span(), " ")
    segments = [*texts("heron", "forbidden words"), broken, blank, *texts("fish")]
    with pytest.raises(SegmentsRefused, match="3 of 5 segments") as raised:
        embedder.embed_segments(segments)
    assert set(raised.value.reasons) == {1, 2, 3}
    assert raised.value.reasons[1].startswith("RAI_VIOLATION_INPUT_TEXT_DEFLECTION: ")
    assert raised.value.reasons[2].startswith("INVALID_CONTENT: ")
    assert raised.value.reasons[3].startswith("INVALID_CONTENT: There is no text")
    np.testing.assert_allclose(raised.value.embeddings[4], embedding_for("fish"), atol=1e-6)
    assert not raised.value.embeddings[[1, 2, 3]].any()
    assert len(bedrock.calls) == 4


def test_text_that_is_not_read_to_its_end_is_told_of(made: Made, bedrock: Bedrock) -> None:
    """By the segment and the number of characters, and only then."""
    told: list[str] = []
    embedder = made(warn=told.append)
    long = "heron " * 2_000
    rows = embedder.embed_segments(texts("short", long))
    assert told == ["Segment 1 has 12,000 characters; only the first 8,192 count."]
    np.testing.assert_allclose(rows[1], embedding_for(long[:8_192]), atol=1e-6)
    assert max(len(each["text"]["value"]) for each in params(bedrock)) == 8_192


def test_a_cut_by_the_model_is_told_of(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its tokens end before the characters do, as they do in other scripts."""
    told: list[str] = []
    monkeypatch.setattr("tests.standins.nova_model.TOKENS_CHARACTERS", 100)
    made(warn=told.append).embed_segments(texts("waiter " * 50))
    assert told == ["Segment 0 is too long for the model: only its first 100 characters count."]


def test_nobody_listens(made: Made) -> None:
    """An endpoint that cannot be reached is an error that may be tried again, after all attempts."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    gone = Bedrock()
    gone.url = address
    gone._server.server_close()
    with pytest.raises(EmbedderUnavailable, match="cannot be reached") as raised:
        made(attempts=2, client=gone.client()).embed_text_query("a heron")
    assert not isinstance(raised.value, EmbedderThrottled)


def test_an_answer_that_is_cut_off_is_asked_for_again(made: Made) -> None:
    """A connection that ends in the middle of the body is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = threading.Thread(target=_serve_half, args=(listening, 2))
        served.start()
        half = Bedrock()
        half.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        half._server.server_close()
        with pytest.raises(EmbedderUnavailable):
            made(attempts=2, client=half.client()).embed_text_query("a heron")
        served.join(timeout=20)
        assert not served.is_alive(), "it was asked less than twice"


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), True),
        (ReadTimeoutError(endpoint_url="https://bedrock"), True),
        (SSLError(endpoint_url="https://bedrock", error="certificate"), False),
        (NoCredentialsError(), False),
        (ParamValidationError(report="modelId"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_never_was_an_answer(error: BotoCoreError, *, retryable: bool) -> None:
    """The way there may be better another time; a wrong certificate, missing keys or our own mistake will not be."""
    assert translated(error, model_id="m").retryable is retryable


def _serve_half(listening: socket.socket, times: int) -> None:
    for _ in range(times):
        connection, _ = listening.accept()
        with connection:
            while b"\r\n\r\n" not in (got := connection.recv(65_536)):
                assert got
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{")


def test_the_client_asks_once_and_needs_credentials(
    bedrock: Bedrock, made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Attempts are counted in one place; a missing region or key is told before anything is read."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(InvalidInput, match="set AWS_REGION"):
        make_client()
    with pytest.raises(EmbeddingFailed, match="needs AWS credentials"):
        make_client(region="us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSTANDIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock.url)
    bedrock.faults.storm(10)
    with pytest.raises(EmbedderUnavailable):
        made(attempts=2, client=make_client(region="us-east-1")).embed_text_query("a heron")
    assert len(bedrock.calls) == 2


def test_no_secret_and_no_vector_is_logged(bedrock: Bedrock, made: Made, caplog: pytest.LogCaptureFixture) -> None:
    """Neither by what succeeds nor by what fails, nor in the text of an error; nor is what was embedded."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="nestor")
    said: list[str] = []
    embedder = made(attempts=1)
    row = embedder.embed_segments(texts("the secret heron " * 1_000))[0]
    for fault in (
        Fault("ThrottlingException", "Slow down.", status=429),
        Fault("AccessDeniedException", "", status=403),
    ):
        bedrock.faults.errors = [fault]
        with pytest.raises(EmbeddingFailed) as raised:
            embedder.embed_text_query("the secret heron")
        said.append(str(raised.value))
    bedrock.faults.refused = lambda _: True
    with pytest.raises(SegmentsRefused) as refused:
        embedder.embed_segments(texts("the secret heron"))
    said += [str(refused.value), repr(refused.value), *refused.value.reasons.values(), caplog.text]
    everything = "\n".join(said)
    assert "17,000 characters" in caplog.text
    for secret in (SECRET, "AKIDSTANDIN", "secret heron", "Signature=", f"{row[0]:.4f}", f"{row[1]:.4f}"):
        assert secret not in everything
