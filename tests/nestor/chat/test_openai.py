"""OpenAI-compatible services, over real HTTP against a stand-in."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.standins.completions import Completions, completing

from nestor.adapters.models.openai import OpenAIModel, read_key
from nestor.errors import InvalidInput, ModelFailed, ModelThrottled, ModelUnavailable
from nestor.ports import Message, Usage

ASKED = [Message("user", ("one", b"\xff\xd8jpeg")), Message("assistant", ("two",)), Message("user", ("three", "four"))]


@pytest.fixture
def service() -> Iterator[Completions]:
    """Return the stand-in."""
    with completing() as service:
        yield service


def answers(service: Completions, **options: str) -> list[str | Usage]:
    """Return what a model that speaks to it gives."""
    return list(OpenAIModel(service.url, model="llava", **options).stream(ASKED, system="rules"))  # type: ignore[arg-type]


def test_messages_go_and_pieces_come(service: Completions) -> None:
    """Text alone as a string, pictures as data; the pieces in order, then what was counted."""
    service.says("Built ", "in 1732", " [1].")
    assert answers(service) == ["Built ", "in 1732", " [1].", Usage(12, 3)]
    (asked,) = service.asked
    picture = f"data:image/jpeg;base64,{base64.b64encode(ASKED[0].parts[1]).decode()}"  # type: ignore[arg-type]
    assert asked["model"] == "llava"
    assert asked["messages"] == [
        {"role": "system", "content": "rules"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {"url": picture}}],
        },
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three\n\nfour"},
    ]
    assert service.keys == [""]


def test_however_it_is_cut(service: Completions) -> None:
    """Events may come byte by byte, with CRLF, comments and empty documents between."""
    service.says("naïve ", "日本")
    whole = b": hello\r\n\r\ndata: {}\r\n\r\n" + b"".join(service.body).replace(b"\n", b"\r\n")
    service.body = [bytes([byte]) for byte in whole]
    assert answers(service) == ["naïve ", "日本", Usage(12, 3)]


def test_a_service_that_counts_nothing(service: Completions) -> None:
    """It answers all the same; one at its limit says so."""
    service.says("Built", usage=None)
    assert answers(service) == ["Built"]
    service.says("Built", reason="length")
    assert answers(service)[-1] == Usage(12, 3, cut=True)


@pytest.mark.parametrize(
    ("status", "expected", "match"),
    [
        (401, ModelFailed, "NESTOR_CHAT_KEY_FILE"),
        (404, ModelFailed, "NESTOR_CHAT_MODEL"),
        (400, ModelFailed, "no pictures here.*NESTOR_CHAT_PICTURES=off"),
        (429, ModelThrottled, "Try again"),
        (503, ModelUnavailable, "Try again"),
    ],
)
def test_refusals(service: Completions, status: int, expected: type[ModelFailed], match: str) -> None:
    """Each tells what the service said and what to do."""
    service.status, service.body = status, [b'{"error": {"message": "no pictures here"}}']
    with pytest.raises(ModelFailed, match=match) as caught:
        answers(service)
    assert type(caught.value) is expected


def test_no_redirect_is_followed(service: Completions) -> None:
    """Neither the question nor the key goes elsewhere."""
    with completing() as elsewhere:
        service.status, service.headers = 307, {"Location": f"{elsewhere.url}/chat/completions"}
        with pytest.raises(ModelFailed, match="redirect"):
            answers(service, key="sk-secret")
        assert elsewhere.asked == []
    assert service.keys == ["Bearer sk-secret"]


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ([b'data: {"choices": [{"delta": {"content": "Bui"}}]}\n\n'], "before it was complete"),
        ([b'data: {"error": {"message": "out of memory"}}\n\n'], "out of memory"),
        ([b"data: " + b"x" * (1 << 20), b"x" * 100_000], "more than 1 MiB"),
        ([b": alive\n\n" * 100_000] * 20, "does not end"),
        ([b"<html>"], "before it was complete"),
    ],
    ids=["broken off", "an error within", "one endless event", "an endless stream", "no stream"],
)
def test_what_is_no_answer(service: Completions, body: list[bytes], match: str) -> None:
    """Is an error, after bounded time and memory."""
    service.body = body
    with pytest.raises(ModelFailed, match=match):
        answers(service)


def test_time_is_bounded(service: Completions) -> None:
    """Ten minutes for the whole answer, by the clock given."""
    service.says("Built")
    times = iter([0.0, 601.0])
    model = OpenAIModel(service.url, model="m", clock=lambda: next(times))
    with pytest.raises(ModelFailed, match="does not end"):
        list(model.stream(ASKED, system="rules"))


def test_leaving_ends_the_answer(service: Completions) -> None:
    """The connection is closed, so that the service stops."""
    service.says(*["word " * 2_000] * 2_000)
    pieces = OpenAIModel(service.url, model="m").stream(ASKED, system="rules")
    next(pieces)
    pieces.close()
    assert service.gone.wait(10)


def test_nobody_there() -> None:
    """A service that is gone is an error that passes."""
    with completing() as service:
        pass
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        answers(service)


@pytest.mark.parametrize(
    ("url", "key", "match"),
    [
        ("ftp://localhost/v1", "", "must be like"),
        ("localhost:11434", "", "must be like"),
        ("http://user:pass@localhost/v1", "", "must hold no key"),
        ("http://localhost/v1?key=1", "", "must be like"),
        ("http://models.example/v1", "sk", "use https"),
        ("http://[::1", "", "no address"),
    ],
)
def test_bad_addresses(url: str, key: str, match: str) -> None:
    """They are refused before anything is sent; a key travels in the clear on this machine alone."""
    with pytest.raises(InvalidInput, match=match):
        OpenAIModel(url, model="m", key=key)
    OpenAIModel("https://models.example/v1", model="m", key="sk")
    OpenAIModel("http://127.0.0.1:1/v1", model="m", key="sk")


def test_a_key_is_a_line_in_a_file(tmp_path: Path) -> None:
    """Blank lines around it do not count; anything else is refused without being shown."""
    path = tmp_path / "key"
    path.write_text(" sk-secret\n")
    assert read_key(path) == "sk-secret"
    for content in (b"", b"sk-secret\nsk-other\n", b"sk-\xff"):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match="NESTOR_CHAT_KEY_FILE") as caught:
            read_key(path)
        assert "sk-" not in str(caught.value)
    with pytest.raises(InvalidInput, match="cannot read a key"):
        read_key(tmp_path / "missing")
