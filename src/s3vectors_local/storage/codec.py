"""Bytes and values: JSON metadata, record ids. Pure."""

import zlib
from collections.abc import Collection
from typing import Any, Final

import orjson

from s3vectors_local.model import Metadata

# A record's id is its index's id and a number that only grows inside the index. So the records of one index lie side
# by side in the table, in the order of their first write.
_SEQUENCE_BITS: Final = 40


def record_id(index_id: int, sequence: int) -> int:
    """Return the id of the record that was the `sequence`-th new one of its index, from 1."""
    return index_id << _SEQUENCE_BITS | sequence


def id_range(index_id: int) -> tuple[int, int]:
    """Return the bounds of an index's record ids: first < id < last."""
    return index_id << _SEQUENCE_BITS, (index_id + 1) << _SEQUENCE_BITS


def sequence(record: int) -> int:
    """Return the number inside the index."""
    return record & ((1 << _SEQUENCE_BITS) - 1)


def split(metadata: Metadata, *, non_filterable: Collection[str]) -> tuple[Metadata, Metadata]:
    """Return the filterable part and the rest."""
    if not non_filterable:
        return metadata, {}
    filterable = {name: value for name, value in metadata.items() if name not in non_filterable}
    return filterable, {name: value for name, value in metadata.items() if name in non_filterable}


def metadata_bytes(metadata: Metadata) -> bytes | None:
    """Return JSON text, None for an empty object."""
    return orjson.dumps(metadata) if metadata else None


def metadata(text: bytes | None) -> dict[str, Any]:
    """Return what `metadata_bytes` wrote."""
    parsed: dict[str, Any] = orjson.loads(text) if text else {}
    return parsed


def checksum(key: str, filterable: bytes | None, other: bytes | None) -> int:
    """Return the CRC-32 of a record's key and metadata; never 0, which rows have that were written without one."""
    return zlib.crc32(b"\0".join((key.encode(), filterable or b"", other or b""))) or 1


def join(filterable: bytes | None, other: bytes | None) -> bytes:
    """Return both parts as the text of one object."""
    if filterable and other:
        return filterable[:-1] + b"," + other[1:]
    return filterable or other or b"{}"
