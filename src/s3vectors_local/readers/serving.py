"""The server's own process: it listens, writes, and gives plain queries to its readers."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from s3vectors_local.readers.passing import Passing
from s3vectors_local.readers.pool import Pool
from s3vectors_local.readers.process import Start
from s3vectors_local.telemetry import Event


class Writer(uvicorn.Server):
    """A server with readers."""

    def __init__(self, config: uvicorn.Config, start: Start, *, readers: int, note: Callable[[Event], None]) -> None:
        """Serve as configured; `note` is told of what the readers answer."""
        self._connection = partial(Passing, reader=False, elsewhere=self._give, head_seconds=start.options.read_seconds)
        config.http = self._connection  # type: ignore[assignment] # called as a class is
        super().__init__(config)
        self._start = start
        self._count = readers
        self._note = note
        self._pool: Pool | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def readers(self) -> int:
        """How many readers take connections now."""
        return 0 if self._pool is None else self._pool.ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and start the readers; until they are there, everything is answered here."""
        await super().startup(sockets)
        self._pool = Pool(self._start, count=self._count, take=self._take, note=self._note)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what was begun, here and there."""
        pool, self._pool = self._pool, None
        closing = pool.close(seconds=self._start.grace_seconds + 1) if pool else asyncio.sleep(0)
        await asyncio.gather(super().shutdown(sockets), closing)

    def _give(self, handle: int, received: bytes) -> bool:
        return self._pool is not None and self._pool.give(handle, received)

    def _take(self, connection: socket.socket, received: bytes) -> None:
        if self._pool is None:  # this server ends too
            connection.close()
            return
        connection.setblocking(False)
        made = partial(
            self._connection,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            received=received,
        )
        task = asyncio.get_running_loop().create_task(self._serve_one(made, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _serve_one(made: Callable[[], Any], connection: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(made, connection)
