"""What blocks and gives one thing after another, as an event loop takes it."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from nestor.refusals import Refused

T = TypeVar("T")

_LOOK_SECONDS = 0.25
_ALIVE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing more comes; `error` tells why, where that is not the end."""

    error: Exception | None


class Flows:
    """So many generators at work, each in a thread of its own, and so many waiting. Used from one event loop."""

    def __init__(self, *, running: int, waiting: int, closing: threading.Event) -> None:
        """Start none yet; when `closing` is set, all of them end."""
        self._places = asyncio.Semaphore(running)
        self._most = waiting
        self._waiting = 0
        self._closing = closing

    async def of(self, generator: Generator[T, None, None]) -> AsyncGenerator[T | None, None]:
        """Yield what it gives, and None for every 15 s of nothing. The generator is closed in its own thread.

        One that is left gives its place back when it comes to its next thing: nothing can interrupt it before.

        Raises Refused when too many wait or the server ends, and whatever the generator raises.
        """
        await self._admit()
        given: asyncio.Queue[T | _End] = asyncio.Queue()  # as long as an answer, which is bounded
        left = threading.Event()
        # No pool: the end of the process would wait for its threads, and a model may be silent for minutes.
        work = threading.Thread(
            target=self._work,
            args=(generator, asyncio.get_running_loop(), given, left),
            name="nestor-chat",
            daemon=True,
        )
        work.start()
        try:
            while not isinstance(each := await self._next(given), _End):
                yield each
            if each.error is not None:
                raise each.error
        finally:
            left.set()

    async def _admit(self) -> None:
        if self._places.locked() and self._waiting >= self._most:
            raise Refused(503, "Busy", "Too many questions at once. Try again in a moment.")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1

    def _work(
        self, generator: Generator[T, None, None], loop: asyncio.AbstractEventLoop, given: Any, left: threading.Event
    ) -> None:
        def tell(work: Any, *told: Any) -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody listens
                loop.call_soon_threadsafe(work, *told)

        end = _End(None)
        try:
            with closing(generator):
                for each in generator:
                    if left.is_set() or self._closing.is_set():
                        end = _End(_stopping() if self._closing.is_set() else None)
                        break
                    tell(given.put_nowait, each)
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            end = _End(error)
        tell(given.put_nowait, end)
        tell(self._places.release)

    async def _next(self, given: "asyncio.Queue[T | _End]") -> T | _End | None:
        for _ in range(round(_ALIVE_SECONDS / _LOOK_SECONDS)):
            if self._closing.is_set():
                raise _stopping()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    return await given.get()
        return None


def _stopping() -> Refused:
    return Refused(503, "Stopping", "The server is being stopped.")
