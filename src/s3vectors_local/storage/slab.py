"""Slabs: the float32 rows of one index, one after another, in a file that only grows.

A row is `dimension` float32 and a footer: the id of its record (8 bytes), the length of the vector (float64, 8), the
CRC-32 of all before it (4) and that of the record's key and metadata (4; zero for none); all little endian. A row's
place is its slot. Rows up to the number of slots that the database knows are never written again; what lies behind is
left over from a write that did not end, and is overwritten. So whoever read that number reads these rows at any later
time, without a lock.
"""

import mmap
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from s3vectors_local.errors import EngineError
from s3vectors_local.model import Float32
from s3vectors_local.storage import files
from s3vectors_local.storage.files import check_writable, sync, sync_folder

Rows = npt.NDArray[Any]
"""Records with the fields `data` (float32 x dimension), `record` (int64), `norm` (float64), `crc` and `described`
(uint32)."""

_ROOM: Final = 64 * 1024  # bytes that a file grows by at least; a quarter of its size beyond
_NAME: Final = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)\.rows", re.ASCII)


def row_type(dimension: int) -> np.dtype[Any]:
    """Return the type of a row."""
    return np.dtype(
        [("data", "<f4", (dimension,)), ("record", "<i8"), ("norm", "<f8"), ("crc", "<u4"), ("described", "<u4")]
    )


def rows(data: Sequence[Float32], records: Sequence[int], *, dimension: int, described: Sequence[int] = ()) -> Rows:
    """Return rows to append, with their footers; `described` are checksums of what is not in them."""
    made = np.zeros(len(data), row_type(dimension))
    made["data"] = np.asarray(data, np.float32).reshape(len(data), dimension)
    made["record"] = records
    wide = made["data"].astype(np.float64)
    made["norm"] = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    made["crc"] = checksums(made)
    made["described"] = described or 0
    return made


def checksums(found: Rows) -> npt.NDArray[np.uint32]:
    """Return what `crc` of each row should be."""
    size = found.dtype.fields["crc"][1] if found.dtype.fields else 0
    view = np.ascontiguousarray(found).view(np.uint8).reshape(len(found), found.dtype.itemsize)[:, :size]
    return np.fromiter((zlib.crc32(row) for row in np.ascontiguousarray(view)), np.uint32, len(found))


class SlabGone(EngineError):
    """The file is not there: a compaction has put another in its place since the caller's transaction began."""


class Slab(Protocol):
    """The rows of one index."""

    def append(self, slot: int, new: Rows) -> None:
        """Write rows from a slot on; when it returns they survive a loss of power. Raises OSError."""

    def read_ahead(self) -> None:
        """Have all rows read into memory in the background, where there is room."""

    def read(self, slots: int, *, in_order: bool = False) -> Rows:
        """Return the rows of the first so many slots, perhaps more, not to be written to.

        `in_order`: all of them will be read, one after another. Raises SlabGone, OSError.
        """


class FileSlab:
    """A slab in a file. What `read` returned stays readable after the file is removed."""

    def __init__(self, path: Path, *, dimension: int) -> None:
        """Name the file; it is made by the first `append`."""
        self._path = path
        self._type = row_type(dimension)

    def append(self, slot: int, new: Rows) -> None:
        """Write and sync."""
        start = slot * self._type.itemsize
        # A file that was taken away is an error, not the beginning of a new one.
        made = 0 if slot else os.O_CREAT
        file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | made, 0o644)
        try:
            self._check(file, slot)
            _write(file, start, np.ascontiguousarray(new).view(np.uint8).data)
            sync(file)
        finally:
            os.close(file)
        if not slot:  # not "if it was made here": a process that made it may have ended before this
            sync_folder(self._path.parent)

    def read_ahead(self) -> None:
        """Ask the system for the file."""
        files.read_ahead(self._path)

    def read(self, slots: int, *, in_order: bool = False) -> Rows:
        """Map the file into memory: rows are read from the disk when they are touched."""
        if not slots:
            return np.empty(0, self._type)
        try:
            file = self._path.open("rb")
        except FileNotFoundError as error:
            raise SlabGone(f"{self._path} is missing") from error
        with file:
            size = self._check(file.fileno(), slots)
            # Of the whole file, so that rows written later are seen through the same map.
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        # Else every row that is touched would have its neighbours read too.
        mapped.madvise(mmap.MADV_SEQUENTIAL if in_order else mmap.MADV_RANDOM)
        return np.frombuffer(mapped, self._type, count=size // self._type.itemsize)

    def _check(self, file: int, slots: int) -> int:
        size = os.fstat(file).st_size
        if size < slots * self._type.itemsize:
            raise OSError(f"{self._path} is shorter than its {slots} rows")
        return size


class MemorySlab:
    """A slab in memory."""

    def __init__(self, *, dimension: int) -> None:
        """Begin empty."""
        self._rows = np.empty(0, row_type(dimension))

    def append(self, slot: int, new: Rows) -> None:
        """Copy into memory."""
        end = slot + len(new)
        if end > len(self._rows):
            grown = np.zeros(max(end, len(self._rows) * 5 // 4), self._rows.dtype)
            grown[:slot] = self._rows[:slot]
            self._rows = grown
        self._rows[slot:end] = new

    def read_ahead(self) -> None:
        """Do nothing: it is in memory."""

    def read(self, slots: int, *, in_order: bool = False) -> Rows:  # noqa: ARG002 - as FileSlab
        """Return the memory itself, as it is now."""
        return self._rows if slots else self._rows[:0]


class Slabs:
    """The slabs of a folder, None for memory. An index has one at a time; each compaction makes its next one."""

    def __init__(self, folder: Path | None) -> None:
        """Use a folder, which a writer makes with `prepare`."""
        self._folder = folder
        self._memory: dict[tuple[int, int], MemorySlab] = {}

    def prepare(self) -> None:
        """Make the folder. Raises OSError where it may not be written to."""
        if self._folder is not None:
            self._folder.mkdir(exist_ok=True)
            check_writable(self._folder)
            sync_folder(self._folder.parent)

    def slab(self, index_id: int, number: int, *, dimension: int) -> Slab:
        """Return a slab of an index, be it there or to be made."""
        if self._folder is None:
            return self._memory.setdefault((index_id, number), MemorySlab(dimension=dimension))
        return FileSlab(self.path(index_id, number), dimension=dimension)

    def found(self) -> list[tuple[int, int]]:
        """Return the index id and the number of each slab there is in a file."""
        if self._folder is None:
            return []
        names = [_NAME.fullmatch(path.name) for path in self._folder.glob("*.rows") if path.is_file()]
        return sorted((int(name[1]), int(name[2])) for name in names if name)

    def path(self, index_id: int, number: int) -> Path:
        """Return the file of a slab. Raises AssertionError for one in memory."""
        if self._folder is None:
            raise AssertionError("there are no files")
        return self._folder / f"{index_id}-{number}.rows"

    def remove(self, index_id: int, number: int) -> None:
        """Remove a slab that no index has any more."""
        self._memory.pop((index_id, number), None)
        if self._folder is not None:
            self.path(index_id, number).unlink(missing_ok=True)


def _write(file: int, start: int, data: memoryview) -> None:
    size, end = os.fstat(file).st_size, start + len(data)
    if end > size:
        # Ahead of need, so that maps of the file stay good for many writes. The file is sparse: this takes no room.
        os.ftruncate(file, max(end, size + max(_ROOM, size // 4)))
    while len(data):
        written = os.pwrite(file, data, start)
        data, start = data[written:], start + written
