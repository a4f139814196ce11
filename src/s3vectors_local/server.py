"""The engine over HTTP: a bare ASGI application over the wire table. What may take long runs in threads."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

from s3vectors_local import gauges, limits, telemetry
from s3vectors_local.admission import Admission, ClientGone, Intake, Receive
from s3vectors_local.engine import Engine
from s3vectors_local.entrance import Entrance, Headers
from s3vectors_local.errors import (
    EngineError,
    RequestTimeoutException,
    ServiceError,
    ServiceUnavailableException,
    TooManyRequestsException,
    UnsupportedMediaTypeException,
)
from s3vectors_local.operations import Call, Reply, answer, oversized, refusal
from s3vectors_local.pace import Effort, Pace

Scope = Mapping[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def default_concurrency() -> int:
    """Return how many requests are in the engine at once where nobody says."""
    return min(32, (os.cpu_count() or 1) + 1)


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve. `read_seconds` is for a request to arrive; `log` is told of every answer."""

    entrance: Entrance = field(default_factory=Entrance)
    max_concurrency: int = field(default_factory=default_concurrency)
    max_waiting: int = 256
    """How many more may wait; what the bodies of all take has a bound of its own."""
    read_seconds: float = 60.0
    log: Callable[[telemetry.Event], None] | None = None
    told_after: float = 0.0
    """Seconds until what readers answered for this server is known here."""
    readers: Callable[[], int] = int
    """How many readers there are now."""


def app(engine: Engine, *, options: Options | None = None) -> "Application":
    """Return the application."""
    return Application(engine, options or Options())


@dataclass(frozen=True, slots=True)
class _Outcome:
    reply: Reply
    principal: str = ""
    bytes_in: int = 0


class Application:
    """The ASGI application over an engine, which it does not close.

    `POST /<OperationName>` and `/tags/{ARN}` are the service; `GET /health` answers 200 while the engine reads;
    `GET /metrics` tells what was done.
    """

    def __init__(self, engine: Engine, options: Options) -> None:
        """Serve the engine."""
        self._engine = engine
        self._told_after = options.told_after
        self._readers = options.readers
        self._entrance = options.entrance
        self._log = options.log
        self._intake = Intake(seconds=options.read_seconds)
        self._admission = Admission(
            running=options.max_concurrency,
            waiting=options.max_waiting,
        )
        self._pace = Pace()
        self._metrics = telemetry.Metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            self._admission.close()
        elif scope["type"] == "http":
            await self._handle(scope, receive, send)

    def note(self, event: telemetry.Event) -> None:
        """Count and log a request, be it answered here or by a reader."""
        self._metrics(event)
        if self._log is not None:
            self._log(event)

    def refuse(self, error: ServiceError) -> Reply:
        """Return the answer to what is no request, or not all of one; it is counted and logged, and the last one."""
        reply = replace(refusal(error), close=True)
        self._tell(None, _Outcome(reply), time.time(), time.perf_counter())
        return reply

    def at_once(self, call: Call, headers: Headers) -> Reply | None:
        """Answer a request that came whole, here and now; None for one that may take long: send it the usual way."""
        if not self._pace.admits(call):
            return None
        arrived, started = time.time(), time.perf_counter()
        outcome = self._timed(call, headers)
        self._tell(call, outcome, arrived, started)
        return outcome.reply

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived, started = time.time(), time.perf_counter()
        call = _call(scope)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        try:
            outcome = await self._outcome(call, headers, receive)
        except ClientGone:
            return
        await _reply(send, outcome.reply, head=call.method == "HEAD")
        self._tell(call, outcome, arrived, started)

    def _tell(self, call: Call | None, outcome: _Outcome, arrived: float, started: float) -> None:
        reply = outcome.reply
        self.note(
            telemetry.Event(
                time=arrived,
                request_id=reply.headers.get("x-amzn-requestid", ""),
                operation=_title(call),
                status=reply.status,
                ms=(time.perf_counter() - started) * 1000,
                bytes_in=outcome.bytes_in,
                bytes_out=len(reply.body),
                principal=outcome.principal,
                error=reply.headers.get("x-amzn-errortype", ""),
            )
        )

    async def _outcome(self, call: Call, headers: Headers, receive: Receive) -> _Outcome:
        if _is_hopeless(headers):
            return _Outcome(oversized())
        try:
            async with self._intake.body(receive) as body:
                if body is None:
                    return _Outcome(oversized())
                whole = replace(call, body=body)
                page = _PAGES.get(call.path) if call.method in {"GET", "HEAD"} else None
                if page is not None:
                    return await page(self, whole, headers)
                if self._pace.admits(whole):
                    return self._timed(whole, headers)
                return await self._admission.run(self._timed, whole, headers)
        except (RequestTimeoutException, TooManyRequestsException) as error:
            return _Outcome(_later(error))

    def _timed(self, call: Call, headers: Headers) -> _Outcome:
        effort = Effort()
        outcome = self._work(call, headers)
        if outcome.reply.status == HTTPStatus.OK:  # a refusal is quick, whatever the answer would have been
            self._pace.note(call, effort)
        return outcome

    def _work(self, call: Call, headers: Headers) -> _Outcome:
        try:
            caller = self._entrance.caller(call, headers)
            _check_encoding(headers)
        except ServiceError as error:
            return _Outcome(refusal(error), bytes_in=len(call.body))
        reply = answer(self._engine, call, caller=caller)
        return _Outcome(reply, caller.arn if caller else "", len(call.body))

    async def _health(self, *_: Any) -> _Outcome:
        # Not in the queue: a busy server is alive.
        return _Outcome(await asyncio.to_thread(_health, self._engine))

    async def _show(self, call: Call, headers: Headers) -> _Outcome:
        try:
            self._entrance.check_metrics(call, headers)
            await asyncio.sleep(self._told_after)
            # With credentials, what somebody may not see is told to nobody: names of indexes are left out.
            sizes = await asyncio.to_thread(gauges.lines, self._engine, named=self._entrance.keyring is None)
        except ServiceError as error:
            return _Outcome(refusal(error))
        running, waiting = self._admission.running, self._admission.waiting
        readers = telemetry.gauge("s3vectors_readers", "Processes that answer plain queries.", self._readers())
        text = self._metrics.text(running=running, waiting=waiting, more=[*readers, *sizes])
        return _Outcome(Reply(200, text.encode(), {"content-type": _TEXT}))


_PAGES: Final = {"/health": Application._health, "/metrics": Application._show}  # noqa: SLF001 - of this module


def _call(scope: Scope) -> Call:
    """Return the head of a request; its body is still to come."""
    path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
    return Call(
        scope["method"],
        path,
        scope["query_string"].decode("latin-1"),
        secure=scope["scheme"] == "https",
        source=_source(scope),
    )


def _source(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _is_hopeless(headers: Headers) -> bool:
    """Tell whether the client asks before it sends, and would send too much. Others get to send: then they listen."""
    asked = dict(headers)
    size = asked.get("content-length", "")
    return asked.get("expect", "").lower() == "100-continue" and size.isdecimal() and int(size) > limits.BODY_BYTES


def _check_encoding(headers: Headers) -> None:
    """Return when the body comes as it is. Raises UnsupportedMediaTypeException."""
    for name, value in headers:
        if name == "content-encoding" and value.strip().lower() not in {"", "identity"}:
            raise UnsupportedMediaTypeException("The Content-Encoding of a body must be identity")


def _title(call: Call | None) -> str:
    """Return what a request is called in logs and metrics: never a text of the client's."""
    if call is None:
        return "unknown"
    return call.operation or (call.path if call.path in _PAGES else "unknown")


def _later(error: ServiceError) -> Reply:
    reply = refusal(error)
    if isinstance(error, RequestTimeoutException):
        return replace(reply, close=True)
    return replace(reply, headers={**reply.headers, "retry-after": "1"})


def _health(engine: Engine) -> Reply:
    try:
        engine.list_buckets(limit=1)
    except EngineError:
        return refusal(ServiceUnavailableException("The engine cannot read its data"))
    return Reply(200, b'{"status":"ok"}', {"content-type": "application/json"})


async def _reply(send: Send, reply: Reply, *, head: bool) -> None:
    headers = {**reply.headers, "content-length": str(len(reply.body))}
    if reply.close:
        headers["connection"] = "close"
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
