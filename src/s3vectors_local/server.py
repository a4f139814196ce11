"""The engine over HTTP: a bare ASGI application over the wire table. Engine work runs in threads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.errors import EngineError, ServiceUnavailableException
from s3vectors_local.operations import Reply, answer, oversized, refusal

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEALTH: Final = "/health"
_DRAIN_BYTES: Final = (
    8 * limits.BODY_BYTES
)  # of a body that is too large: read this much, so that its sender gets to read


def app(engine: Engine) -> App:
    """Return the application. It does not close the engine.

    `POST /<OperationName>` and `/tags/{ARN}` are the service; `GET /health` answers 200 while the engine reads.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await _reply(send, await _answer(engine, scope, receive), head=scope["method"] == "HEAD")

    return application


async def _answer(engine: Engine, scope: Scope, receive: Receive) -> Reply:
    method, path = scope["method"], scope["raw_path"].partition(b"?")[0].decode("latin-1")
    body = await _body(receive)
    if body is None:
        return oversized()
    if path == _HEALTH and method in {"GET", "HEAD"}:
        return await asyncio.to_thread(_health, engine)
    query = scope["query_string"].decode("latin-1")
    return await asyncio.to_thread(answer, engine, method=method, path=path, query=query, body=body)


async def _body(receive: Receive) -> bytes | None:
    """Return the body, None for one over the limit."""
    chunks: list[bytes] = []
    size = 0
    while size <= _DRAIN_BYTES:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limits.BODY_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
        if not message.get("more_body", False):
            break
    return None if size > limits.BODY_BYTES else b"".join(chunks)


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
