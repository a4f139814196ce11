"""Reads what a query needs of mapped files that are not in memory: all at once, not one page after another.

What is touched and not there is waited for, with as much around it as the system thinks fit. Where the first place that
a query looks at had to be waited for, it tells the system of all the others before it looks at them.
"""

import mmap
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_FEW: Final = 2  # rows: telling of them takes as long as touching them
_READ: Final = 128 * 1024  # bytes at a time: some systems read no more for one call


def gather(rows: Array, places: npt.NDArray[np.integer[Any]]) -> Array:
    """Return the rows, along the first axis, in some places, copied."""
    fetch(rows, places)
    return rows.take(places, axis=0)


def fetch(rows: Array, places: npt.NDArray[np.integer[Any]]) -> None:
    """Have rows in some places read, where they seem not to be in memory."""
    if len(places) > _FEW and is_cold(rows, places[[0, -1]]):
        announce(rows, ((place, place + 1) for place in places.tolist()))


def is_cold(rows: Array, places: Sequence[int] | npt.NDArray[Any]) -> bool:
    """Touch some rows, or those nearest to them, and tell whether one had to be read from the disk.

    Not by the time that it took: that also passes while other threads have the interpreter. False where the system
    does not tell.
    """
    if not len(rows):
        return False
    before = _reads()
    rows.take(places, axis=0, mode="clip")
    return _reads() > before


def announce(rows: Array, spans: Iterable[tuple[int, int]]) -> None:
    """Have the system read spans of an array in a mapped file; does nothing for an array that is in none."""
    mapped = _map_of(rows)
    if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
        return
    offset, size = _address(rows) - _address(np.frombuffer(mapped, np.uint8)), rows.strides[0]
    for start, end in spans:
        first, last = (offset + start * size) // mmap.PAGESIZE * mmap.PAGESIZE, offset + end * size
        for part in range(first, last, _READ):
            mapped.madvise(mmap.MADV_WILLNEED, part, min(_READ, last - part))


def _map_of(rows: Any) -> mmap.mmap | None:
    while isinstance(rows, np.ndarray | memoryview):
        rows = rows.base if isinstance(rows, np.ndarray) else rows.obj
    return rows if isinstance(rows, mmap.mmap) else None


def _address(rows: Array) -> int:
    address: int = rows.__array_interface__["data"][0]
    return address


def _reads() -> int:
    """Return how often this thread has waited for a page from the disk; always 0 where the system does not tell."""
    import resource

    if not hasattr(resource, "RUSAGE_THREAD"):
        return 0
    return resource.getrusage(resource.RUSAGE_THREAD).ru_majflt
