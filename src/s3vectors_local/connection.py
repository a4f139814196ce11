"""How uvicorn serves: its settings, and what its connections do with clients that stop halfway.

Imported where a server is started only: it needs the server extra.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from s3vectors_local.errors import RequestTimeoutException, SerializationException
from s3vectors_local.operations import Reply
from s3vectors_local.server import App, Application

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

HEAD_SECONDS: Final = 60.0
"""For the head of a request to arrive."""
HEAD_BYTES: Final = 64 * 1024
"""Of the head of a request at most."""
_LARGE: Final = f"The head of a request may have {HEAD_BYTES} bytes at most"
_ANSWER: Final = b"HTTP/1.1 "
_CONTINUE: Final = b"HTTP/1.1 100 "
_IDLE_SECONDS: Final = 75  # longer than clients keep an unused connection, so that they are the ones to close it


def settings(
    app: App, *, grace_seconds: int, head_seconds: float = HEAD_SECONDS, idle_seconds: int = _IDLE_SECONDS
) -> uvicorn.Config:
    """Return how to serve the application; what is being answered at the end has so many seconds."""
    return uvicorn.Config(
        app,
        http=partial(Connection, head_seconds=head_seconds),  # type: ignore[arg-type] # called as a class is
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        # Else whoever is on this machine could claim to come over TLS.
        proxy_headers=False,
        timeout_keep_alive=idle_seconds,
        timeout_graceful_shutdown=grace_seconds,
    )


class OneWrite(asyncio.Transport):
    """A transport that sends the head of an answer with its body, at once.

    Alone, the head would wake up the client for nothing, and take a call of the system.
    """

    def __init__(self, under: asyncio.Transport) -> None:
        """Send through another one."""
        super().__init__()
        self._under = under
        self._head: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold the head of an answer, until its body comes; send everything else."""
        if self._head is not None:
            data, self._head = self._head + bytes(data), None
        elif bytes(data[: len(_ANSWER)]) == _ANSWER and bytes(data[: len(_CONTINUE)]) != _CONTINUE:
            self._head = bytes(data)
            return
        self._pass_on(data)

    def flush(self) -> None:
        """Send a head that no body follows."""
        if self._head is not None:
            head, self._head = self._head, None
            self._pass_on(head)

    def close(self) -> None:
        """Send all, and close."""
        self.flush()
        self._under.close()

    def abort(self) -> None:
        """Close at once."""
        self._head = None
        self._under.abort()

    def is_closing(self) -> bool:
        """Tell whether it is closed, or will be."""
        return self._under.is_closing()

    def pause_reading(self) -> None:
        """Take nothing in."""
        self._under.pause_reading()

    def resume_reading(self) -> None:
        """Take in again."""
        self._under.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not with the system yet."""
        return self._under.get_write_buffer_size() + len(self._head or b"")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the other one tells."""
        return self._under.get_extra_info(name, default)

    def _pass_on(self, data: bytes | bytearray | memoryview) -> None:
        # uvicorn tells of a client that left the latest request only: others that it sent are still being answered.
        if not self._under.is_closing():
            self._under.write(data)


class _TooLarge(Exception):
    """The head of a request is larger than is taken."""


class Connection(HttpToolsProtocol):
    """A connection whose client may close its side after a request, and still gets the answer.

    An offer to speak another protocol (`Upgrade`) is declined by answering in this one (RFC 9110, 7.8).
    """

    def __init__(self, *args: Any, head_seconds: float = HEAD_SECONDS, **more: Any) -> None:
        """Give the head of each request so many seconds to arrive; how long a body may take is the application's."""
        super().__init__(*args, **more)
        self._server = cast("Application", self.config.app)
        self._head_seconds = head_seconds
        self._head_bytes = 0
        self._unread_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin."""
        self._answers = OneWrite(transport)
        super().connection_made(self._answers)
        self._wait()

    def on_message_begin(self) -> None:
        """Begin with the head of a request."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take some of the path."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a line of the head, or one after a body in chunks."""
        self._count(name, value)
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take some of a body."""
        self._unread_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Begin a request, but for one that offers another protocol: its parser takes no body from here on."""
        self._unread_bytes = 0
        if not self._is_offer():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request, but for one that has not begun."""
        self._unread_bytes = 0
        if not self._is_offer():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send an answer that has no body."""
        self._answers.flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Take what came; from the first byte of a head on, time runs."""
        self._unset_keepalive_if_required()
        self._unread_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            large = isinstance(error.__context__, _TooLarge)
            self.send_400_response(_LARGE if large else "Invalid HTTP request received.")
        else:
            self._look_after()

    def _look_after(self) -> None:
        """Let no head grow or take without end, nor a connection lie there without one."""
        if self._unread_bytes > HEAD_BYTES:  # inside a line: the parser keeps it until it ends
            self.send_400_response(_LARGE)
        elif not self._is_in_head():
            self._stop_timer()
            self._wait()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let no time run any more."""
        self._stop_timer()
        super().connection_lost(exc)

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
        self._send(self._server.refuse(SerializationException(msg)))

    def _parse(self, data: bytes) -> None:
        """Take what came; where the parser ends at the head of an offer, another one goes on without the offer."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._without_offer(data[offer.args[0] :])
            else:
                return

    def _without_offer(self, rest: bytes) -> bytes:
        """Return what another parser is to take, with what came behind an offer; nothing where that is no HTTP."""
        if not self._is_offer():
            self.cycle.keep_alive = False  # CONNECT
            return b""
        head = self._head_without_offer()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return head + rest

    def _is_offer(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _head_without_offer(self) -> bytes:
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([line, *lines, b"", b""])

    def _send(self, reply: Reply) -> None:
        """Send an answer as uvicorn would."""
        named = {**reply.headers, "content-length": str(len(reply.body))}
        if reply.close:
            named["connection"] = "close"
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        lines = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *headers)]
        self.transport.write(b"".join((STATUS_LINE[reply.status], *lines, b"\r\n", reply.body)))
        self._answers.flush()
        if reply.close:
            self.transport.close()

    def _latest(self) -> RequestResponseCycle | None:
        return self.cycle  # None before the first request, whatever its type says

    def _is_cut_short(self, cycle: RequestResponseCycle | None) -> bool:
        return self._is_in_head() or (cycle is not None and not cycle.response_complete)

    def _is_in_head(self) -> bool:
        # Of a request whose head is not complete there is a scope, and no cycle yet.
        scope, cycle = cast("HTTPScope | None", self.scope), self._latest()
        return scope is not None and (cycle is None or cycle.scope is not scope)

    def _give_up(self) -> None:
        self._head_timer = None
        cycle = self._latest()
        if cycle is not None and not cycle.response_complete:  # to an earlier request, which comes first
            self._head_timer = self.loop.call_later(self._head_seconds, self._give_up)
        elif self._is_in_head() and not self.transport.is_closing():
            self._send(self._server.refuse(RequestTimeoutException()))

    def _wait(self) -> None:
        """Close in a while, unless something comes or is being answered."""
        cycle = self._latest()
        if self.timeout_keep_alive_task is None and (cycle is None or cycle.response_complete):
            handler = self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, handler)

    def _count(self, *read: bytes) -> None:
        self._head_bytes += sum(map(len, read))
        if self._head_bytes > HEAD_BYTES:
            raise _TooLarge

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
