"""Slabs in files and in memory: one contract; then what only files have."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from s3vectors_local.storage import slab
from s3vectors_local.storage.slab import FileSlab, MemorySlab, Rows, Slab, SlabGone, Slabs

DIMENSION = 3
ROW = slab.row_type(DIMENSION).itemsize
Make = Callable[[], Slab]


@pytest.fixture(params=["file", "memory"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Slab:
    """Give an empty slab of 3 components, of each kind."""
    if request.param == "memory":
        return MemorySlab(dimension=DIMENSION)
    return FileSlab(tmp_path / "1-1.rows", dimension=DIMENSION)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a slab file with four rows."""
    FileSlab(tmp_path / "1-1.rows", dimension=DIMENSION).append(0, _rows(1, 2, 3, 4))
    return tmp_path / "1-1.rows"


def _rows(*records: int) -> Rows:
    data = [np.arange(DIMENSION, dtype=np.float32) + record for record in records]
    return slab.rows(data, list(records), dimension=DIMENSION)


def _handles() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def _same(found: Rows, *records: int) -> None:
    np.testing.assert_array_equal(found[: len(records)], _rows(*records))
    np.testing.assert_array_equal(found["crc"][: len(records)], slab.checksums(found[: len(records)]))


def test_a_row_has_its_length_and_record() -> None:
    """The footer of a row: the record, the length in double precision, a checksum; 24 bytes after the components."""
    made = slab.rows([np.array([3, 4, 0], np.float32)], [7], dimension=DIMENSION, described=[8])
    assert (made["record"][0], made["norm"][0], made["described"][0]) == (7, 5.0, 8)
    assert slab.rows([np.zeros(3, np.float32)], [7], dimension=DIMENSION)["described"][0] == 0
    assert ROW == 4 * DIMENSION + 24


def test_a_changed_bit_changes_the_checksum() -> None:
    """Whichever bit before the checksum is flipped, the checksum is another."""
    made = _rows(1)
    for bit in range(8 * (ROW - 8)):
        flipped = bytearray(made.tobytes())
        flipped[bit // 8] ^= 1 << bit % 8
        changed = np.frombuffer(flipped, made.dtype)
        assert slab.checksums(changed)[0] != changed["crc"][0]


def test_nothing(made: Slab) -> None:
    """A slab that nothing was written to has no rows, and reading them is no error."""
    assert len(made.read(0)) == 0


def test_append_and_read(made: Slab) -> None:
    """Rows come back as they were written, after one append and after many."""
    made.append(0, _rows(1, 2))
    _same(made.read(2), 1, 2)
    made.append(2, _rows(3))
    made.append(3, _rows(*range(4, 3000)))
    _same(made.read(2999), *range(1, 3000))


def test_an_older_read_stays(made: Slab) -> None:
    """What was read earlier shows the same rows after growth beyond any room kept ahead."""
    made.append(0, _rows(1, 2))
    before = made.read(2)
    for slot in range(2, 10_000, 500):
        made.append(slot, _rows(*range(slot + 1, slot + 501)))
    _same(before, 1, 2)


def test_leftovers_are_overwritten(made: Slab) -> None:
    """Rows behind the used slots are from a write that did not end: the next one begins at the same slot."""
    made.append(0, _rows(1))
    made.append(1, _rows(*range(50, 90)))
    made.append(1, _rows(2, 3))
    _same(made.read(3), 1, 2, 3)


def test_rows_cannot_be_written_to(path: Path) -> None:
    """What a file's read gives is read-only memory."""
    with pytest.raises(ValueError, match="read-only"):
        FileSlab(path, dimension=DIMENSION).read(4)["record"][0] = 9


def test_reading_beside_writing(made: Slab) -> None:
    """Rows below the slots that a reader knows of are whole, however a writer goes on."""
    made.append(0, _rows(1))
    known, wrong = [1], []

    def read() -> None:
        while known[0] < 4000:
            slots = known[0]
            found = made.read(slots)[:slots]
            if found["record"].tolist() != list(range(1, slots + 1)):
                wrong.append(slots)

    reader = threading.Thread(target=read)
    reader.start()
    for slot in range(1, 4000, 31):
        made.append(slot, _rows(*range(slot + 1, slot + 32)))
        known[0] = slot + 31
    reader.join()
    assert wrong == []


def test_room_ahead_is_sparse(path: Path) -> None:
    """A file is made longer than its rows, so that maps of it last; that takes no room on the disk."""
    known = path.stat()
    assert known.st_size >= 64 * 1024
    assert known.st_blocks * 512 < known.st_size
    assert len(FileSlab(path, dimension=DIMENSION).read(4)) == known.st_size // ROW


@pytest.mark.parametrize("length", [0, 4 * ROW - 1])
def test_a_short_file_is_an_error(path: Path, length: int) -> None:
    """A file shorter than its rows was cut by somebody: neither read nor written to."""
    os.truncate(path, length)
    made = FileSlab(path, dimension=DIMENSION)
    with pytest.raises(OSError, match=r"1-1\.rows is shorter than its 4 rows"):
        made.read(4)
    with pytest.raises(OSError, match=r"1-1\.rows is shorter than its 4 rows"):
        made.append(4, _rows(5))
    assert path.stat().st_size == length


def test_a_file_that_was_taken_away_is_not_begun_again(path: Path) -> None:
    """Without its first rows a slab cannot go on: an error, and no new file."""
    path.unlink()
    with pytest.raises(SlabGone, match=r"1-1\.rows is missing"):
        FileSlab(path, dimension=DIMENSION).read(4)
    with pytest.raises(FileNotFoundError):
        FileSlab(path, dimension=DIMENSION).append(4, _rows(5))
    assert not path.exists()


def test_removing_keeps_what_was_read(tmp_path: Path) -> None:
    """A slab may be removed while somebody still looks at its rows."""
    slabs = Slabs(tmp_path / "rows")
    slabs.prepare()
    made = slabs.slab(7, 1, dimension=DIMENSION)
    made.append(0, _rows(1, 2))
    found = made.read(2)
    slabs.remove(7, 1)
    _same(found, 1, 2)
    assert list((tmp_path / "rows").iterdir()) == []
    slabs.remove(7, 1)


def test_the_slabs_that_are_there(tmp_path: Path) -> None:
    """Those in files are told by their names; what has another name, or is a folder, is none."""
    slabs = Slabs(tmp_path / "rows")
    slabs.prepare()
    for key in ((11, 1), (1, 2), (1, 1)):
        slabs.slab(*key, dimension=DIMENSION).append(0, _rows(5))
    for other in ("notes.txt", "1.rows", "01-1.rows", "1-0.rows", "a-1.rows"):
        (tmp_path / "rows" / other).touch()
    (tmp_path / "rows/9-1.rows").mkdir()
    assert slabs.found() == [(1, 1), (1, 2), (11, 1)]
    assert Slabs(None).found() == []


def test_short_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that takes a few bytes at a time gets them all."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: real(file, data[:7], at))
    made = FileSlab(tmp_path / "1-1.rows", dimension=DIMENSION)
    made.append(0, _rows(1, 2, 3))
    _same(made.read(3), 1, 2, 3)


def test_a_failed_append_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append that ended half-way leaves nothing open, and the next one writes the same slots."""
    made = FileSlab(tmp_path / "1-1.rows", dimension=DIMENSION)
    made.append(0, _rows(1))
    real, calls = os.pwrite, []

    def full(file: int, data: memoryview, at: int) -> int:
        calls.append(at)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data[:50], at)

    handles = _handles()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        made.append(1, _rows(8, 9))
    monkeypatch.undo()
    assert _handles() == handles
    made.append(1, _rows(2, 3))
    _same(made.read(3), 1, 2, 3)


def test_the_name_is_synced_even_after_a_failed_first_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is synced with the first rows, also where the file was made by a write that did not end."""
    synced: list[Path] = []
    monkeypatch.setattr(slab, "sync_folder", synced.append)
    (tmp_path / "1-1.rows").touch()
    made = FileSlab(tmp_path / "1-1.rows", dimension=DIMENSION)
    made.append(0, _rows(1))
    made.append(1, _rows(2))
    assert synced == [tmp_path]
