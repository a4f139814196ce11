"""How much comes in at once: requests in the engine, requests waiting, bytes of bodies, seconds for one to arrive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

from s3vectors_local import limits
from s3vectors_local.errors import RequestTimeoutException, TooManyRequestsException

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Result = TypeVar("Result")

# Of a body that is too large, so much is read that its sender gets to read the answer.
_DRAIN_BYTES: Final = 8 * limits.BODY_BYTES
_HELD_BYTES: Final = 512 * 1024 * 1024


class ClientGone(Exception):
    """The client went away before its request was complete."""


class Admission:
    """Threads for the engine, and a queue of bounded length before them. Used from one event loop."""

    def __init__(self, *, running: int, waiting: int) -> None:
        """Take so many at once, and let so many wait."""
        self._running = running
        self._waiting = waiting
        self._admitted = 0
        self._threads = ThreadPoolExecutor(running, thread_name_prefix="engine")

    @property
    def running(self) -> int:
        """How many are in the engine now."""
        return min(self._admitted, self._running)

    @property
    def waiting(self) -> int:
        """How many are waiting now."""
        return self._admitted - self.running

    async def run(self, work: Callable[..., Result], *args: Any) -> Result:
        """Do the work in a thread, when one is free. Raises TooManyRequestsException at once for a full queue."""
        with self._place():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    def close(self) -> None:
        """Begin nothing more; what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._admitted >= self._running + self._waiting:
            raise TooManyRequestsException
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1


class Intake:
    """Reads bodies. A request takes no place in the engine's queue before it is complete."""

    def __init__(self, *, seconds: float, held_bytes: int = _HELD_BYTES) -> None:
        """Give each request so many seconds to arrive, and all bodies together so many bytes."""
        self._seconds = seconds
        self._limit = held_bytes
        self._held = 0

    @asynccontextmanager
    async def body(self, receive: Receive) -> AsyncIterator[bytes | None]:
        """Give the body, None for one over the limit of the service, and count it as held meanwhile.

        Raises RequestTimeoutException, TooManyRequestsException, ClientGone.
        """
        chunks: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(self._seconds):
                    complete = await self._read(receive, chunks)
            except TimeoutError:
                raise RequestTimeoutException from None
            yield b"".join(chunks) if complete else None
        finally:
            self._held -= sum(map(len, chunks))

    async def _read(self, receive: Receive, chunks: list[bytes]) -> bool:
        size, more = 0, True
        while more and size <= _DRAIN_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size <= limits.BODY_BYTES:
                self._hold(chunks, chunk)
        return size <= limits.BODY_BYTES

    def _hold(self, chunks: list[bytes], chunk: bytes) -> None:
        if self._held + len(chunk) > self._limit:
            raise TooManyRequestsException("Too many bytes of requests at once, please try again")
        self._held += len(chunk)
        chunks.append(chunk)
