"""Streams of server-sent events, bounded in number; each ends when the server stops."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.responses import StreamingResponse

from nestor.refusals import Refused
from nestor.web.context import Context

ALIVE = b": alive\n\n"
"""A comment, so that nobody between takes the connection for dead."""


def event(name: str, document: Mapping[str, Any]) -> bytes:
    """Return one event as it goes over the wire."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(document))


def stream(here: Context, events: AsyncIterator[bytes]) -> StreamingResponse:
    """Return the answer that sends these events. Raises Refused when too many streams are open."""
    if here.streams >= here.limits.streams:
        raise Refused(503, "Busy", "Too many streams are open. Try again in a moment.")

    async def counted() -> AsyncIterator[bytes]:
        here.streams += 1  # here, for what is never begun is never ended
        try:
            async for each in events:
                yield each
        finally:
            here.streams -= 1

    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)
