"""Copies rows out of a mapped file. Those not in memory yet are read by several threads, whose waits overlap."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy.typing as npt

from s3vectors_local.search.coarse import Slots

Array = npt.NDArray[Any]
_THREADS: Final = 16
_COLD: Final = 20e-6  # seconds a row: more than copying one takes, less than reading one from a disk
_FEW: Final = 16  # rows: not worth threads


class Gather:
    """Learns from each copy whether the next one will have to wait for the disk. Thread-safe."""

    def __init__(self) -> None:
        """Begin with one thread."""
        self._cold = False
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, rows: Array, slots: Slots) -> Array:
        """Return the rows, along the first axis, in some slots."""
        begun = time.perf_counter()
        found = self._together(rows, slots) if self._cold and len(slots) > _FEW else rows.take(slots, axis=0)
        # Threads hide most of the wait, so what they take tells of a disk at a quarter of the time.
        limit = _COLD / 4 if self._cold else _COLD
        self._cold = len(slots) > 0 and (time.perf_counter() - begun) / len(slots) > limit
        return found

    def _together(self, rows: Array, slots: Slots) -> Array:
        # The copies are thrown away: they are there to have the pages read.
        for _ in self._threads().map(lambda part: len(rows.take(slots[part::_THREADS], axis=0)), range(_THREADS)):
            pass
        return rows.take(slots, axis=0)

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gather")
            return self._pool
