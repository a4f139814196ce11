"""`api`: the application of nestor.web, without its pages, behind the HTTP API of the stack."""

import asyncio
import base64
import weakref
from typing import Any

import orjson
from mangum import Mangum

from nestor.errors import InvalidInput, NestorError
from nestor.functions.application import Application
from nestor.handlers import _http
from nestor.handlers._questions import QuestionMetrics
from nestor.handlers._runtime import Event, Tools, entry
from nestor.refusals import Refused, refusal
from nestor.settings.api import ApiSettings
from nestor.web import cloud
from nestor.web.app import create
from nestor.web.context import Options

MAX_ANSWER = 6_000_000
"""Bytes; a function may return 6 MiB."""


class CallMetrics(QuestionMetrics):
    """Counts for the call that is being answered: the application outlives each of them."""

    def begin(self, tools: Tools) -> None:
        """Count for this call from now on."""
        self._tools = tools

    def text(self) -> str:
        """Return nothing: CloudWatch reads the log."""
        return ""


class Served:
    """The application, begun once and kept while the function is warm. Answers one event at a time."""

    def __init__(self, tools: Tools) -> None:
        """Begin it. Raises InvalidInput naming the variable that is missing or makes no sense."""
        settings = ApiSettings.from_environment()
        self._metrics = CallMetrics(tools)
        parts = Application(settings, tools.clients, metrics=self._metrics)
        # Who comes in is the API's business, and so is the name by which it is called.
        origins = frozenset(settings.allowed_origins.lower().split())
        options = Options(hosts=None, origins=origins, page=False, streams=False, holds=parts.source.holds)
        app = create(parts, options=options, files=cloud.routers(parts.source))
        self._loop = asyncio.new_event_loop()
        weakref.finalize(self, self._loop.close)
        # By itself, Mangum would begin and end the application around each event.
        self._life = app.router.lifespan_context(app)
        self._loop.run_until_complete(self._life.__aenter__())
        asyncio.set_event_loop(self._loop)
        self._adapter = Mangum(app, lifespan="off")

    def answer(self, event: Event, tools: Tools) -> dict[str, Any]:
        """Return the application's answer as API Gateway takes it. Raises Refused for one that is too large."""
        self._metrics.begin(tools)
        asyncio.set_event_loop(self._loop)
        try:
            answer: dict[str, Any] = self._adapter(dict(event), None)  # type: ignore[arg-type] # it reads no context
        finally:
            asyncio.set_event_loop(None)
        if len(answer["body"]) > MAX_ANSWER // 2 and len(orjson.dumps(answer)) > MAX_ANSWER:
            raise Refused(
                413, "TooLarge", "The answer has over 6 MB: ask for fewer hits, sizes, strategies or segments."
            )
        return answer


@entry("api")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Answer an event of an HTTP API; every failure is {"error": {"code", "message", "id"}}."""
    try:
        answer = _answered(event, tools)
    except Exception as error:  # noqa: BLE001  # the entry point: every failure is an answer, and none tells its detail
        refused = refusal(error)
        if refused.status >= 500:
            tools.failed(error)
        answer = _http.error_response(event, refused, request_id=tools.request_id)
    else:
        if answer["statusCode"] >= 500:
            tools.count("Errors")
    status = answer.get("statusCode", 400)
    tools.count(f"Status{status}")
    tools.log("answered", status=status, answer_id=answer.get("headers", {}).get("x-request-id", tools.request_id))
    return answer


def _answered(event: Event, tools: Tools) -> dict[str, Any]:
    if not _http.is_http(event):
        raise InvalidInput("This function answers events of an HTTP API; ask it over HTTP.")
    _check_body(event)
    try:
        served = tools.clients.once("api", lambda: Served(tools))
    except InvalidInput as error:
        raise NestorError(str(error)) from error  # not the caller's input
    return served.answer(event, tools)


def _check_body(event: Event) -> None:
    """Raise Refused for a body that cannot be decoded."""
    if event.get("isBase64Encoded"):
        try:
            base64.b64decode(event.get("body") or "", validate=True)
        except ValueError as error:
            raise Refused(400, "InvalidInput", "The body cannot be decoded.") from error
