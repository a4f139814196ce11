"""The server on stdin and stdout, and on a port of this machine."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import anyio
from mcp.server import Server
from mcp.server.stdio import stdio_server

from nestor.errors import InvalidInput

LINE_BYTES = 1 << 20
"""Of one message; the largest that the tools take has some tens of thousands."""
_HOST = "127.0.0.1"


def serve_stdio(server: Server, *, say: Callable[[str], None]) -> None:
    """Answer on stdin and stdout until stdin ends, or SIGTERM or SIGINT comes; what else prints, prints on stderr."""

    async def run() -> None:
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    with _ending_on_signals(say):
        anyio.run(run)


def serve_http(server: Server, *, port: int, say: Callable[[str], None]) -> None:
    """Answer at http://127.0.0.1:PORT/mcp (port 0: a free one) until a signal comes. Raises InvalidInput if taken.

    Only programs of this machine can ask: the SDK refuses requests whose Host or Origin names another.
    """
    import uvicorn

    app = server.streamable_http_app(host=_HOST, stateless_http=True, json_response=True)
    # The other parser takes no body after an offer of another protocol, which Java's client makes by default.
    config = uvicorn.Config(app, http="h11", ws="none", log_config=None, access_log=False)
    # uvicorn ends on a signal, then raises it again for whoever listened before: nobody, or the exit code tells of it.
    with _listening(port) as listening, _calling_on_signals(lambda: None):
        say(f"Serving the tools at http://{_HOST}:{listening.getsockname()[1]}/mcp")
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    try:
        listening = socket.create_server((_HOST, port))
    except OSError as error:
        raise InvalidInput(f"Cannot listen on port {port}: {error.strerror}. Take another --port.") from error
    with listening:
        yield listening


@contextmanager
def _ending_on_signals(say: Callable[[str], None]) -> Iterator[None]:
    """Let a signal look like the end of stdin, the one end that the server knows.

    A thread that waits for a line cannot be called back, so the server reads from a pipe, and a thread of ours, which
    nobody waits for, fills it.
    """
    original = os.fdopen(os.dup(0), "rb")
    reading, filling = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    pipe = os.fdopen(filling, "wb", buffering=0)
    with _calling_on_signals(pipe.close):
        threading.Thread(target=_pump, args=(original, pipe, say), daemon=True).start()
        yield


def _pump(source: BinaryIO, pipe: BinaryIO, say: Callable[[str], None]) -> None:
    with suppress(ValueError, OSError), pipe, source:  # the pipe may have been closed by a signal
        while line := source.readline(LINE_BYTES + 1):
            if len(line) > LINE_BYTES:
                say(f"nestor: a message of more than {LINE_BYTES:,} bytes came: nothing more is read.")
                return
            view = memoryview(line)
            while view:
                view = view[pipe.write(view) :]


@contextmanager
def _calling_on_signals(call: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: call()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.flush()
