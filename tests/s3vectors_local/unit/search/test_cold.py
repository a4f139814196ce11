"""Mapped files that are not in memory: what a query needs is read at once, and answers are the same."""

import mmap
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.search.cold import announce, gather, is_cold

Dropped = Callable[[], Any]
ROWS, WIDTH = 4_000, 1_024


@pytest.fixture
def dropped(tmp_path: Path) -> Dropped:
    """Map a file whose pages are not in memory; skips where the file system keeps them."""
    if sys.platform != "linux":
        pytest.skip("only Linux drops pages when asked to")
    path = tmp_path / "rows"
    values = np.arange(ROWS * WIDTH, dtype=np.int32).reshape(ROWS, WIDTH)
    path.write_bytes(b"a head of odd length" + values.tobytes())

    def drop() -> Any:
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
        mapped = np.memmap(path, np.uint8, "r")
        mapped._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined]
        return np.frombuffer(mapped[20:], np.int32).reshape(ROWS, WIDTH)

    if not is_cold(drop(), [0]):
        pytest.skip("this file system keeps what it should drop, or nobody tells")
    return drop


def test_the_same_rows(dropped: Dropped) -> None:
    """Rows come as they are in the file, in the order asked for, from the disk as from memory."""
    slots = np.random.default_rng(0).integers(0, ROWS, 300)
    rows = dropped()
    expected = slots[:, None] * WIDTH + np.arange(WIDTH)
    assert (gather(rows, slots) == expected).all()
    assert (gather(rows, slots) == expected).all()
    assert gather(rows, slots[:0]).shape == (0, WIDTH)


def test_what_is_announced_is_read_in_the_background(dropped: Dropped) -> None:
    """Rows that were announced are there without another wait, in long spans too; others are not."""
    rows = dropped()
    spans = [(0, 1), (700, 900), (ROWS - 1, ROWS)]
    announce(rows, spans)
    time.sleep(0.5)
    assert not is_cold(rows, [place for start, end in spans for place in range(start, end)])
    assert is_cold(rows, [2_500])


def test_arrays_in_memory(dropped: Dropped) -> None:
    """An array that is in no file, or is empty, is not cold, and announcing it does nothing."""
    rows = dropped()
    assert is_cold(rows, [100])
    for array in (rows.copy(), rows[:0], np.empty((0, 3), np.float32)):
        announce(array, [(0, len(array))])
        assert not is_cold(array, (0, -1))


def test_places_beyond_the_end(dropped: Dropped) -> None:
    """A place behind the last row, as an empty list at the end has, is no error."""
    rows = dropped()
    assert is_cold(rows, [ROWS, ROWS + 5])
    announce(rows, [(ROWS, ROWS)])
