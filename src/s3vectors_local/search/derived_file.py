"""The files that coarse indexes lie in: how they are written, mapped into memory and checked.

One is a line, a CRC-32 and JSON that says what it was made from and where each array lies, and the arrays. Codes of all
components lie in a file of their own, row after row; its checksum is in that line.
"""

import mmap
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from s3vectors_local.storage.files import read_ahead

_ALIGNED: Final = 64
_CRC_DIGITS: Final = 8
_HEADER_BYTES: Final = 64 * 1024
_CHECKED_BYTES: Final = 1024**3  # of codes of all components; reading more would hold up the first query
Arrays = Mapping[str, npt.NDArray[Any]]


def write(path: Path, attributes: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a file. Raises OSError."""
    contents: dict[str, Any] = {}
    offset = crc = 0
    for name, array in arrays.items():
        offset += -offset % _ALIGNED
        contents[name] = {"type": array.dtype.str, "shape": array.shape, "offset": offset}
        offset += array.nbytes
        crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    text = orjson.dumps({**attributes, "arrays": contents, "crc": crc, "bytes": offset})
    text += b" " * (-(len(text) + _CRC_DIGITS + 1) % _ALIGNED)
    header = b"%08x%s\n" % (zlib.crc32(text), text)
    with path.open("wb") as file:
        file.write(header)
        for name, array in arrays.items():
            file.seek(len(header) + contents[name]["offset"])
            file.write(np.ascontiguousarray(array).data)


@dataclass(frozen=True, slots=True)
class Checked:
    """The checksum of the first rows of a file; None for one that is too large to be checked."""

    file: str
    rows: int = 0
    crc: int | None = 0

    def through(self, values: npt.NDArray[np.int8]) -> int | None:
        """Return the checksum of all rows."""
        if self.crc is None or values.nbytes > _CHECKED_BYTES:
            return None
        return zlib.crc32(values[self.rows :].data, self.crc)


def writable(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.int8]:
    """Map a file to be written to, as long as it has to be. It must be there: a new one would begin with zeros."""
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            # Else a full disk would end the process where the map is written to (SIGBUS), and be no error here.
            os.posix_fallocate(file.fileno(), 0, max(1, shape[0] * shape[1]))
        else:
            file.truncate(max(os.fstat(file.fileno()).st_size, shape[0] * shape[1]))
    return np.memmap(path, np.int8, "r+", shape=shape)


def read_codes(path: Path, whole: Mapping[str, Any], checked: Checked) -> npt.NDArray[np.int8]:
    """Map codes of all components, as a head tells of them. Raises ValueError for a damaged file, OSError."""
    shape = tuple(whole["shape"])
    if path.stat().st_size < int(np.prod(shape)):  # it may be longer: what was not saved is no part of it
        raise ValueError(f"{path.name} is too short")
    values = np.memmap(path, np.int8, "r", shape=shape)
    if whole["crc"] is not None and checked.through(values) != whole["crc"]:
        raise ValueError(f"the checksum of {path.name} differs")
    if not checked.rows:
        read_ahead(path)
    values._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined] # noqa: SLF001 - NumPy gives no other way
    return values


def head(path: Path) -> dict[str, Any]:
    """Return the attributes, none for what is no such file."""
    try:
        with path.open("rb") as file:
            return _attributes(file.readline(_HEADER_BYTES))
    except (OSError, ValueError):
        return {}


def _attributes(header: bytes) -> dict[str, Any]:
    """Return what a header says. Raises ValueError for one that was not written here."""
    crc, text = header[:_CRC_DIGITS], header[_CRC_DIGITS:-1]
    if crc != b"%08x" % zlib.crc32(text):
        raise ValueError("the checksum of its head differs")
    attributes: dict[str, Any] = orjson.loads(text)
    return attributes


def read(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Return the attributes and the arrays, mapped into memory. Raises ValueError for a damaged file."""
    with path.open("rb") as file:
        header = file.readline(_HEADER_BYTES)
    attributes = _attributes(header)
    mapped = np.memmap(path, np.uint8, "r", offset=0)
    body = mapped[len(header) :]
    if len(body) != attributes["bytes"]:
        raise ValueError(f"{len(body)} bytes in place of {attributes['bytes']}")
    arrays, crc = {}, 0
    for name, content in attributes["arrays"].items():
        kind, shape = np.dtype(content["type"]), tuple(content["shape"])
        size = int(np.prod(shape)) * kind.itemsize
        raw = body[content["offset"] : content["offset"] + size]
        crc = zlib.crc32(raw.data, crc)
        arrays[name] = np.frombuffer(raw, kind).reshape(shape)
    if crc != attributes["crc"]:
        raise ValueError("the checksum differs")
    # From here on queries tell what they will read.
    mapped._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined] # noqa: SLF001 - NumPy gives no other way
    return attributes, arrays
