"""A question and its answer as HTTP, by API Gateway's events of version 2; also as plain documents."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from nestor.errors import EmbedderUnavailable, EmbeddingFailed, InvalidInput, NestorError, VectorsError
from nestor.handlers._runtime import Event

if TYPE_CHECKING:
    from nestor.pipeline.answer import Answer, Asked

MAX_BODY = 64 << 10
"""Bytes."""
RETRY_AFTER = 2
"""Seconds."""
_MEMBERS = frozenset({"query", "dimension", "top_k", "k", "filter", "include_embedding"})
_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "SlowDown"})
_BAD_REQUEST = frozenset({"ValidationException"})
_FAILED = ((EmbeddingFailed, "EmbedderFailed"), (VectorsError, "VectorsFailed"))


class Refused(Exception):
    """The request cannot be answered: an HTTP status, a word for programs, words for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep the three."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def is_http(event: Event) -> bool:
    """Say whether an API sent the event; else somebody invoked the function with a question."""
    return "requestContext" in event


def question(event: Event) -> Mapping[str, Any]:
    """Return the document that was sent. Raises Refused for another path, method, or too large or broken a body."""
    if not is_http(event):
        return event
    path, method = event.get("rawPath", ""), event["requestContext"].get("http", {}).get("method", "")
    if not path.endswith("/query"):
        raise Refused(404, "NotFound", "There is only POST /query here.")
    if method != "POST":
        raise Refused(405, "MethodNotAllowed", "Send POST /query.")
    body = _body(event)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "InvalidInput", f"The body is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise Refused(400, "InvalidInput", 'The body must be a JSON object such as {"query": "words"}.')
    return document


def asked(document: Mapping[str, Any]) -> "Asked":
    """Return the question. Raises InvalidInput naming the member that makes no sense."""
    from nestor.domain import FULL_DIMENSION
    from nestor.pipeline.answer import Asked

    if unknown := sorted(map(str, document.keys() - _MEMBERS)):
        raise InvalidInput(f"{unknown[0]!r} is unknown; known are {', '.join(sorted(_MEMBERS))}.")
    if "top_k" in document and "k" in document:
        raise InvalidInput("top_k and k are the same: send one of them.")
    return Asked(
        query=_typed(document, "query", str, ""),
        dimension=_typed(document, "dimension", int, FULL_DIMENSION),
        top_k=_typed(document, "k" if "k" in document else "top_k", int, 10),
        where=_typed(document, "filter", dict, None),
        with_embeddings=_typed(document, "include_embedding", bool, False),
    )


def answered(asked: "Asked", answer: "Answer") -> dict[str, Any]:
    """Return the answer as a document."""
    found = answer.found
    return {
        "query": asked.query,
        "dimension": found.dimension,
        "strategy": found.strategy,
        "hits": [
            {"key": hit.key, "similarity": hit.similarity, "distance": hit.distance, "metadata": dict(hit.metadata)}
            | ({"embedding": answer.embeddings[hit.key].tolist()} if hit.key in answer.embeddings else {})
            for hit in found.hits
        ],
        "took_ms": found.took_ms,
    }


def refusal(error: Exception) -> Refused:
    """Return how an error is told to the caller; what is no error of Nestor is told without any detail."""
    if isinstance(error, Refused):
        return error
    if not isinstance(error, NestorError):
        return Refused(500, "InternalError", "Something went wrong; the log tells more.")
    code = getattr(error, "code", "")
    if isinstance(error, InvalidInput) or code in _BAD_REQUEST:
        return Refused(400, "InvalidInput", str(error))
    if isinstance(error, EmbedderUnavailable) or code in _THROTTLED:
        return Refused(429, "Throttled", "Too much is asked at once. Try again in a moment.")
    failed = next((name for kind, name in _FAILED if isinstance(error, kind)), "NotSetUp")
    return Refused(502, failed, "What this service asks failed; the log tells more.")


def response(event: Event, status: int, document: Mapping[str, Any], **headers: str) -> dict[str, Any]:
    """Return the document as HTTP where an API asked, as it is where not."""
    if not is_http(event):
        return dict(document)
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **headers},
        "body": orjson.dumps(document).decode(),
        "isBase64Encoded": False,
    }


def error_response(event: Event, refused: Refused, *, request_id: str) -> dict[str, Any]:
    """Return a refusal as HTTP."""
    headers = {405: {"allow": "POST"}, 429: {"retry-after": str(RETRY_AFTER)}}.get(refused.status, {})
    error = {"code": refused.code, "message": refused.message, "id": request_id}
    return response(event, refused.status, {"error": error}, **headers)


def _body(event: Event) -> bytes:
    text = event.get("body") or ""
    if len(text) > MAX_BODY * 4 // 3 + 4:
        raise Refused(413, "TooLarge", f"The body may have {MAX_BODY:,} bytes.")
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError as error:
        raise Refused(400, "InvalidInput", "The body cannot be decoded.") from error
    if len(body) > MAX_BODY:
        raise Refused(413, "TooLarge", f"The body may have {MAX_BODY:,} bytes.")
    return body


def _typed(document: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = document.get(name)
    if value is None:
        return default
    if type(value) is not kind:  # a boolean is no number here
        words = {str: "a text", int: "a whole number", dict: "an object", bool: "true or false"}
        raise InvalidInput(f"{name} is {str(value)[:80]!r}; it must be {words[kind]}.")
    return value
