"""A reader: a process that answers the queries on the connections it is given. It ends when its channel is closed.

python -m s3vectors_local.readers.process HANDLE
"""

import asyncio
import pickle
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
import uvicorn

from s3vectors_local.allocator import give_back_large_arrays
from s3vectors_local.connection import settings
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.readers.channel import Channel
from s3vectors_local.readers.passing import Passing
from s3vectors_local.server import Options, app
from s3vectors_local.telemetry import Event

TELLING_SECONDS: Final = 0.05
"""After so long the server knows what was answered."""
_TOLD: Final = 200  # events in a message at most
_SWITCH_SECONDS: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Start:
    """What a reader is told first, through its standard input: the data, and how to serve it."""

    folder: Path
    region: str
    account: str
    options: Options
    grace_seconds: int


class Reader(uvicorn.Server):
    """Serves the connections that come over the channel."""

    def __init__(self, engine: Engine, start: Start, end: socket.socket) -> None:
        """Serve an engine that only reads; the channel has another end in the server's process."""
        self._end = end
        self._head_seconds = start.options.read_seconds
        self._events: list[Event] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._served = app(engine, options=replace(start.options, log=self._note))
        super().__init__(settings(self._served, grace_seconds=start.grace_seconds))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - as uvicorn calls it
        """Listen to the channel alone."""
        await super().startup([])
        self._channel = Channel(self._end, receive=self._take, lost=self._stop)
        self._channel.send(b"ready")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what was begun."""
        await super().shutdown(sockets)
        self._tell()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: a terminal sends them to all processes, and the server's own decides."""
        yield

    def _take(self, received: bytes, connection: socket.socket | None) -> None:
        if connection is not None:
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._serve_one(received, connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve_one(self, received: bytes, connection: socket.socket) -> None:
        made = partial(
            Passing,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            reader=True,
            at_once=self._served.at_once,
            head_seconds=self._head_seconds,
            elsewhere=lambda handle, held: self._channel.send(held, handle),
            received=received,
        )
        await asyncio.get_running_loop().connect_accepted_socket(made, connection)

    def _stop(self) -> None:
        self.should_exit = True

    def _note(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) == 1:
            asyncio.get_running_loop().call_later(TELLING_SECONDS, self._tell)

    def _tell(self) -> None:
        while self._events:
            told, self._events = self._events[:_TOLD], self._events[_TOLD:]
            self._channel.send(orjson.dumps(told))


def main(handle: str) -> None:
    """Serve until the channel with this handle is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    give_back_large_arrays()
    sys.setswitchinterval(_SWITCH_SECONDS)
    with socket.socket(fileno=int(handle)) as end:
        # From the process that started this one, through a pipe that nobody else has.
        start: Start = pickle.load(sys.stdin.buffer)  # noqa: S301 - as above
        with open_engine(start.folder, read_only=True, region=start.region, account=start.account) as engine:
            Reader(engine, start, end).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
