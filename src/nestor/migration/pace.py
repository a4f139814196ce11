"""Not more segments a second than an index takes."""

import threading
import time
from collections.abc import Callable

SERVICE = 2_500.0
"""Vectors a second that one index of Amazon S3 Vectors takes."""


class Pace:
    """Threads take segments from it and wait for their turn; an idle time is not saved up."""

    def __init__(
        self,
        per_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Let so many pass in a second, any number where it is None."""
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, segments: int) -> None:
        """Return when so many may be sent."""
        if self._per_second is None:
            return
        with self._lock:
            start = max(self._clock(), self._free_at)
            self._free_at = start + segments / self._per_second
            wait = start - self._clock()
        if wait > 0:
            self._sleep(wait)
