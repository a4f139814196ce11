"""Copies rows out of a mapped file. Those not in memory yet are read by several threads, whose waits overlap."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy.typing as npt

from s3vectors_local.search.coarse import Slots

Array = npt.NDArray[Any]
_THREADS: Final = 16
_PROBED: Final = 8  # rows: if one of them had to be read from the disk, so will many


class Gather:
    """Copies rows. Thread-safe; starts its threads when rows have to be read from the disk for the first time."""

    def __init__(self) -> None:
        """Begin without threads."""
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, rows: Array, slots: Slots) -> Array:
        """Return the rows, along the first axis, in some slots."""
        if len(slots) > _PROBED:
            before = _reads()
            rows.take(slots[:_PROBED], axis=0)
            if _reads() > before:
                self._touch(rows, slots[_PROBED:])
        return rows.take(slots, axis=0)

    def _touch(self, rows: Array, slots: Slots) -> None:
        # The copies are thrown away: they are there to have the pages read.
        for _ in self._threads().map(lambda part: len(rows.take(slots[part::_THREADS], axis=0)), range(_THREADS)):
            pass

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gather")
            return self._pool


def _reads() -> int:
    """Return how often this thread has waited for a page from the disk; always 0 where the system does not tell.

    Not the time: that also passes while other threads have the interpreter.
    """
    import resource

    if not hasattr(resource, "RUSAGE_THREAD"):
        return 0
    return resource.getrusage(resource.RUSAGE_THREAD).ru_majflt
