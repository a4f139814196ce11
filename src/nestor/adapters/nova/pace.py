"""How fast a service is called: so many calls a minute, so many at a time, and those that may succeed again, again."""

import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from nestor.errors import InvalidInput, NestorError

T = TypeVar("T")

ATTEMPTS: Final = 6
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0
"""Seconds; the longest that a pause may be doubles from the first to the longest."""


class Pace:
    """Lets calls through, one after another at even distances. Threads share it.

    After a call that was told to come later, the next ones of all threads wait, too.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int = 600,
        concurrency: int = 4,
        attempts: int = ATTEMPTS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Allow that many calls a minute and at a time, and each call that many attempts; `chance` gives 0 to 1."""
        if min(requests_per_minute, concurrency, attempts) < 1:
            raise InvalidInput("Requests a minute, concurrency and attempts must each be at least 1.")
        self.concurrency = concurrency
        self._between = 60 / requests_per_minute
        self._attempts = attempts
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._slots = threading.BoundedSemaphore(concurrency)
        self._lock = threading.Lock()
        self._next = clock()

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what the call returns, made again with jittered pauses while it raises a retryable NestorError.

        After the last attempt that error is passed on; any other is, at once.
        """
        for attempt in range(1, self._attempts):
            try:
                return self._once(call)
            except NestorError as error:
                if not error.retryable:
                    raise
            self._hold(self._pause(attempt))
        return self._once(call)

    def _once(self, call: Callable[[], T]) -> T:
        with self._slots:
            if (wait := self._turn()) > 0:
                self._sleep(wait)
            return call()

    def _turn(self) -> float:
        """Take the next turn and return the seconds until it comes."""
        with self._lock:
            now = self._clock()
            mine = max(now, self._next)
            self._next = mine + self._between
        return mine - now

    def _hold(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def _pause(self, attempt: int) -> float:
        most: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt)
        return self._chance() * most
