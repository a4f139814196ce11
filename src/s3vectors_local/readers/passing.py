"""A connection that goes to another process where its next request is answered there."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from s3vectors_local.connection import Connection
from s3vectors_local.entrance import Headers
from s3vectors_local.operations import Call, Reply
from s3vectors_local.readers.requests import PATH, is_for_reader, plain

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

_HELD_SECONDS: Final = 1.0  # for a request to come whole; then it is taken as it comes, under the server's limits

_AGAIN_SECONDS: Final = 0.005
AtOnce = Callable[[Call, Headers], Reply | None]
Pass = Callable[[int, bytes], bool]
"""Takes a file handle and what was read from it; False when nobody can take it."""


class Passing(Connection):
    """Looks at the head of each request, and gives itself away when it is not one to be answered here."""

    def __init__(
        self,
        *args: Any,
        reader: bool,
        elsewhere: Pass,
        at_once: AtOnce | None = None,
        received: bytes = b"",
        **more: Any,
    ) -> None:
        """Be one of a `reader`, or of the writer; `received` came before, and is answered here in any case.

        `at_once` answers a plain query, or leaves it to the usual way.
        """
        super().__init__(*args, **more)
        self._reader = reader
        self._at_once = at_once
        self._elsewhere = elsewhere
        self._received = received
        self._held = b""
        self._is_mine = False
        self._timer: asyncio.TimerHandle | None = None
        self._stuck_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin, with what came before."""
        super().connection_made(transport)
        if self._received:
            received, self._received = self._received, b""
            self._feed(received)

    def data_received(self, data: bytes) -> None:
        """Hold the beginning of a request until it is known whose it is."""
        if self._is_mine:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        self._held += data
        wanted = is_for_reader(self._held)
        if wanted is None:
            self._timer = self._timer or self.loop.call_later(_HELD_SECONDS, self._decide, False)
        else:
            self._decide(wanted)

    def eof_received(self) -> bool:  # type: ignore[override] # as in Connection
        """Decide about what is held: no more of it will come."""
        if self._held:
            self._decide(False)
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was held."""
        self._release_timer()
        self._held = b""
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Look at the next request, unless some of it has been taken already."""
        super().on_response_complete()
        cycle, scope = self.cycle, cast("HTTPScope | None", self.scope)
        self._is_mine = cycle.scope is not scope or cycle.more_body or not cycle.response_complete

    def shutdown(self) -> None:
        """End, after what was begun."""
        self._release()
        super().shutdown()

    def _decide(self, wanted: bool) -> None:  # noqa: FBT001 - as call_later calls it
        self._release_timer()
        if wanted == self._reader:
            if not self._is_answered():
                self._release()
        elif self._is_idle() and self._elsewhere(self._handle(), self._held):
            self._held = b""
            self.transport.abort()  # closes the handle of this process only
        elif self._reader:  # cannot answer it itself
            self._try_again()
        else:
            self._release()

    def _is_answered(self) -> bool:
        """Answer what is held without the way through the application, where that is the same; tell whether it was."""
        if self._at_once is None or self.flow.write_paused or self.transport.is_closing():
            return False
        request = plain(self._held)
        if request is None:
            return False
        headers, body = request
        reply = self._at_once(
            Call("POST", PATH, "", body, self.scheme == "https", self.client[0] if self.client else ""), headers
        )
        if reply is None:
            return False
        self._held = b""
        self._send(reply)
        super().on_response_complete()
        return True

    def _try_again(self) -> None:
        """Take nothing more in until this connection can go: its client takes its answers first, in time or never."""
        if self._stuck_since is None:
            self._stuck_since = self.loop.time()
        if self.loop.time() - self._stuck_since > self._head_seconds:
            self.transport.abort()
            return
        if not self.transport.is_closing():
            self.flow.pause_reading()
        self._timer = self.loop.call_later(_AGAIN_SECONDS, self._decide, False)

    def _is_idle(self) -> bool:
        return self.transport.get_write_buffer_size() == 0 and not self.transport.is_closing()

    def _handle(self) -> int:
        handle: int = self.transport.get_extra_info("socket").fileno()
        return handle

    def _release(self) -> None:
        self._release_timer()
        held, self._held = self._held, b""
        if self._stuck_since is not None:
            self._stuck_since = None
            self.flow.resume_reading()
        if held:
            self._feed(held)

    def _feed(self, data: bytes) -> None:
        self._is_mine = True
        super().data_received(data)

    def _release_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
