"""Every error as an answer of one shape: {"error": {"code", "message", "id"}}."""

import logging
import traceback
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nestor.errors import HomeUnusable, NestorError, UnreadableFile
from nestor.refusals import Refused, refusal
from nestor.uploads import AssetBusy, NoSuchAsset, QueueFull
from nestor.web.limits import RETRY_AFTER

_LOG = logging.getLogger("nestor.web")

_CODES = {
    400: "InvalidInput",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "TooLarge",
    415: "UnsupportedMediaType",
}
_OWN: tuple[tuple[type[NestorError], int, str], ...] = (
    (NoSuchAsset, 404, "NotFound"),
    (AssetBusy, 409, "AssetBusy"),
    (QueueFull, 429, "QueueFull"),
    (UnreadableFile, 422, "UnreadableFile"),
    (HomeUnusable, 503, "HomeUnusable"),
)
"""What `refusal` has no words for, because no function meets it."""

ErrorPage: TypeAlias = Callable[[Request, Refused, str], Response]
"""Makes the page that tells a person of an error."""


def add_handlers(app: FastAPI) -> None:
    """Make every error of the routes an answer."""
    for kind in (NestorError, Refused, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _handle)


def told(error: Exception) -> Refused:
    """Return how the error is told to the client."""
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "Refused")
        return Refused(error.status_code, code, _sentence(error))
    if isinstance(error, RequestValidationError):
        return Refused(400, "InvalidInput", _first_fault(error))
    for kind, status, code in _OWN:
        if isinstance(error, kind):
            return Refused(status, code, str(error))
    return refusal(error)


def answer(request: Request, refused: Refused, headers: dict[str, str] | None = None) -> Response:
    """Return the answer: a page where a browser asks for one and there is one, else JSON."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    page: ErrorPage | None = getattr(request.app.state, "error_page", None) if "app" in request.scope else None
    response = page(request, refused, request_id) if page is not None and wants_page(request) else None
    if response is None:
        response = Response(orjson.dumps(document(request, refused)), refused.status, media_type="application/json")
    response.headers.update(headers or {})
    if refused.status in {429, 503}:
        response.headers.setdefault("retry-after", str(RETRY_AFTER))
    if refused.status == 401:
        response.headers.setdefault("www-authenticate", "Bearer")
    return response


def document(request: Request, refused: Refused) -> dict[str, Any]:
    """Return the one shape."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    return {"error": {"code": refused.code, "message": refused.message, "id": request_id}}


def wants_page(request: Request) -> bool:
    """Say whether a person with a browser asks, or the script of a page, and no program."""
    headers = request.headers
    return "text/html" in headers.get("accept", "") or headers.get("hx-request") == "true"


def log_failure(error: BaseException, *, request_id: str) -> None:
    """Write a line on an error that is ours; what is no error of Nestor may tell anything, so only its place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    told_words = str(error)[:500] if isinstance(error, NestorError) else ""
    _LOG.error("%s %s %s %s", request_id, type(error).__name__, place, told_words)


def heard(request: Request, error: Exception) -> Refused:
    """Return how the error is told to the client, and write it down where it is ours."""
    refused = told(error)
    if refused.status >= 500 and not isinstance(error, Refused):
        log_failure(error, request_id=request.scope.get("state", {}).get("request_id", ""))
    return refused


async def _handle(request: Request, error: Exception) -> Response:
    refused = heard(request, error)
    headers = dict(getattr(error, "headers", None) or {})
    if refused.status == 405:
        headers["allow"] = ", ".join(_methods(request))
    return answer(request, refused, headers)


def _methods(request: Request) -> list[str]:
    """Return every method of the address; the framework names those of its first route only."""
    path = request.scope["path"]
    routes = [route for router in request.app.state.routers for route in router.routes]
    matching = [route for route in routes if isinstance(route, Route) and route.path_regex.match(path)]
    return sorted({method for route in matching for method in route.methods or ()})


def _sentence(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this address."
    if error.status_code == 405:
        return "This address does not take this method."
    return str(error.detail)


def _first_fault(error: RequestValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in {"query", "path", "body"})
    return f"{place}: {first['msg']}."
