"""How uvicorn serves: its settings, and what its connections do with clients that stop halfway.

Imported where a server is started only: it needs the server extra.
"""

from typing import TYPE_CHECKING, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from s3vectors_local.errors import SerializationException
from s3vectors_local.operations import refusal
from s3vectors_local.server import App

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

_IDLE_SECONDS = 75  # longer than clients keep an unused connection, so that they are the ones to close it


def settings(app: App, *, grace_seconds: int) -> uvicorn.Config:
    """Return how to serve the application; what is being answered at the end has so many seconds."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        # Else whoever is on this machine could claim to come over TLS.
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
    )


class Connection(HttpToolsProtocol):
    """A connection whose client may close its side after a request, and still gets the answer."""

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio asks whether to stay open
        """Stay open for the answers to requests that came whole; refuse one that did not."""
        cycle = self._latest()
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            cycle.keep_alive = False
            return True
        if self.pipeline:  # what came whole before this one is still to be answered
            self.pipeline.popleft()
            self.timeout_keep_alive = 0
            return True
        if self._is_cut_short(cycle):
            self.send_400_response("The request ended too early")
        return False

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or not all of it, as every other error is answered; then close."""
        reply = refusal(SerializationException(msg))
        named = {**reply.headers, "content-length": str(len(reply.body)), "connection": "close"}
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        lines = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *headers)]
        self.transport.write(b"".join((STATUS_LINE[reply.status], *lines, b"\r\n", reply.body)))
        self.transport.close()

    def _latest(self) -> RequestResponseCycle | None:
        return self.cycle  # None before the first request, whatever its type says

    def _is_cut_short(self, cycle: RequestResponseCycle | None) -> bool:
        # Of a request whose head is not complete there is a scope, and no cycle yet.
        scope = cast("HTTPScope | None", self.scope)
        if cycle is None or cycle.scope is not scope:
            return scope is not None
        return not cycle.response_complete
