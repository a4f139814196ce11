"""A question and its answer as HTTP, by API Gateway's events of version 2; also as plain documents."""

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from nestor.handlers._runtime import Event
from nestor.refusals import Refused

MAX_BODY = 64 << 10
"""Bytes."""
RETRY_AFTER = 2
"""Seconds."""


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
