"""HTTP in, one call, HTTP out; over a search that answers as told."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.domain import Hit
from nestor.errors import (
    EmbedderMismatch,
    EmbedderThrottled,
    EmbedderUnavailable,
    EmbeddingFailed,
    InvalidInput,
    ModelFailed,
    ModelThrottled,
    ModelUnavailable,
    VectorsDenied,
    VectorsError,
    VectorsUnavailable,
)

pytest.importorskip("aws_lambda_powertools", reason="aws-lambda-powertools is not installed")

from nestor import functions
from nestor.answer import Answer, Asked
from nestor.handlers import _runtime, query_handler
from nestor.search import Found

EVENT = Path(__file__).parents[2] / "events" / "query.json"
SECRET_DETAIL = "detail that nobody outside may see"  # noqa: S105  # it opens nothing


class Canned:
    """Answers with one hit, or raises what it was told to."""

    def __init__(self) -> None:
        """Be ready."""
        self.asked: list[Asked] = []
        self.error: Exception | None = None

    def answer(self, asked: Asked) -> Answer:
        """Answer."""
        self.asked.append(asked)
        if self.error is not None:
            raise self.error
        hit = Hit("k", 0.25, {"page": 1})
        embeddings = {"k": np.array([0.5, 0.25], np.float32)} if asked.with_embeddings else {}
        return Answer(Found(asked.dimension, (hit,), 1.5, 2.5), embeddings)


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Canned:
    """Return what stands in for the search."""
    made = Canned()
    monkeypatch.setattr(functions, "answers", lambda *_, **__: made)
    monkeypatch.setenv("VECTOR_BUCKET", "bucket")
    return made


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Return a function that gives API Gateway's event for a body."""

    def make(body: Any, **members: Any) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(EVENT.read_text())
        return event | {"body": body if isinstance(body, str) else json.dumps(body)} | members

    return make


def _document(answer: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer["body"])
    return document


def test_answer(canned: Canned, event: Callable[..., dict[str, Any]]) -> None:
    """A question is answered with what was found, by default in the full size."""
    answer = query_handler.handler(event({"query": "a day out", "k": 3, "filter": {"page": 1}}), None)
    assert answer["statusCode"] == 200
    assert _document(answer) == {
        "query": "a day out",
        "dimension": 3072,
        "strategy": "direct",
        "hits": [{"key": "k", "similarity": 0.75, "distance": 0.25, "metadata": {"page": 1}}],
        "candidates": 0,
        "spent": {"requests": 0, "returned_bytes": 0},
        "took_ms": {"embed": 1.5, "vectors": 2.5, "total": 4.0},
    }
    assert canned.asked == [Asked(query="a day out", top_k=3, where={"page": 1})]


def test_base64_and_embeddings(canned: Canned, event: Callable[..., dict[str, Any]]) -> None:
    """A body in Base64 is understood; embeddings come where they are asked for."""
    body = base64.b64encode(b'{"query": "w", "include_embedding": true, "dimension": 256}').decode()
    document = _document(query_handler.handler(event(body, isBase64Encoded=True), None))
    assert document["hits"][0]["embedding"] == [0.5, 0.25]
    assert canned.asked[0].dimension == 256


def test_invoked_directly(canned: Canned) -> None:
    """Invoked with the question itself, the answer is the document itself, errors too."""
    assert query_handler.handler({"query": "w"}, None)["hits"][0]["key"] == "k"
    assert query_handler.handler({"query": 5}, None)["error"]["code"] == "InvalidInput"


BAD: list[tuple[Any, dict[str, Any], int, str]] = [
    ("not json", {}, 400, "no JSON"),
    ([1], {}, 400, "JSON object"),
    ({"query": 5}, {}, 400, "query"),
    ({"query": "w", "k": True}, {}, 400, "k is"),
    ({"query": "w", "k": 101}, {}, 400, "1 to 100"),
    ({"query": "w", "top_k": 0}, {}, 400, "1 to 100"),
    ({"query": "w", "k": 1, "top_k": 1}, {}, 400, "the same"),
    ({"query": "w", "filter": "x"}, {}, 400, "filter"),
    ({"query": "w", "limit": 5}, {}, 400, "'limit' is unknown"),
    ({"query": "w" * 70_000}, {}, 413, "65,536"),
    ("$$$", {"isBase64Encoded": True}, 400, "decoded"),
    ({"query": "w"}, {"rawPath": "/other"}, 404, "POST /query"),
]


@pytest.mark.parametrize(("body", "members", "status", "words"), BAD, ids=str)
def test_bad_requests(
    canned: Canned,
    event: Callable[..., dict[str, Any]],
    body: Any,
    members: dict[str, Any],
    status: int,
    words: str,
) -> None:
    """What cannot be answered is told with status, code, words and the id of the request."""
    answer = query_handler.handler(event(body, **members), type("Context", (), {"aws_request_id": "id-1"})())
    error = _document(answer)["error"]
    assert answer["statusCode"] == status
    assert words in error["message"]
    assert error["id"] == "id-1"
    assert not canned.asked


def test_method(canned: Canned, event: Callable[..., dict[str, Any]]) -> None:
    """Another method is told which one there is."""
    get = event("")
    get["requestContext"]["http"]["method"] = "GET"
    answer = query_handler.handler(get, None)
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "POST")


ERRORS: list[tuple[Exception, int, str]] = [
    (InvalidInput("The query is empty."), 400, "InvalidInput"),
    (VectorsError("invalid filter", code="ValidationException"), 400, "InvalidInput"),
    (EmbedderThrottled(SECRET_DETAIL), 429, "Throttled"),
    (EmbedderUnavailable(SECRET_DETAIL), 502, "EmbedderFailed"),
    (VectorsUnavailable(SECRET_DETAIL, code="TooManyRequestsException"), 429, "Throttled"),
    (VectorsUnavailable(SECRET_DETAIL, code="ServiceUnavailableException"), 502, "VectorsFailed"),
    (VectorsDenied(SECRET_DETAIL, code="AccessDeniedException"), 502, "VectorsFailed"),
    (EmbeddingFailed(SECRET_DETAIL), 502, "EmbedderFailed"),
    (ModelThrottled(SECRET_DETAIL), 429, "Throttled"),
    (ModelUnavailable(SECRET_DETAIL), 502, "ModelFailed"),
    (ModelFailed(SECRET_DETAIL), 502, "ModelFailed"),
    (EmbedderMismatch(SECRET_DETAIL), 502, "NotSetUp"),
    (KeyError(SECRET_DETAIL), 500, "InternalError"),
]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=str)
def test_errors(canned: Canned, event: Callable[..., dict[str, Any]], error: Exception, status: int, code: str) -> None:
    """Each failure has its status; what is not the caller's fault is told without detail, and never as no hits."""
    canned.error = error
    answer = query_handler.handler(event({"query": "w"}), None)
    assert (answer["statusCode"], _document(answer)["error"]["code"]) == (status, code)
    assert SECRET_DETAIL not in answer["body"]
    assert ("Try again" in answer["body"]) is getattr(error, "retryable", False)
    assert ("retry-after" in answer["headers"]) is (status == 429)


def test_missing_variable(event: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A function without its variables imports, and answers that it is not set up."""
    monkeypatch.delenv("VECTOR_BUCKET", raising=False)
    _runtime.forget_clients()
    answer = query_handler.handler(event({"query": "w"}), None)
    assert answer["statusCode"] == 502
