"""Vectors as records in the database and rows in a slab. Every function works inside the caller's transaction."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from s3vectors_local import limits
from s3vectors_local.model import Index, NewVector, StoredVector
from s3vectors_local.storage import codec, slab
from s3vectors_local.storage.slab import Rows, Slab

Slots = npt.NDArray[np.int64]
_Described = tuple[str, bytes | None, bytes | None]
"""A key and metadata, as they are stored."""
_MARKS: Final = 10_000
"""Values in one statement at most: SQLite takes 32,766, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class _Place:
    record: int
    slot: int


def put(c: sqlite3.Connection, to: Slab, index: Index, vectors: Sequence[NewVector]) -> dict[str, int]:
    """Store vectors of different keys and return their record ids by key.

    Those of keys that exist are replaced and keep their place in the order of records.
    """
    known = _places(c, index, (vector.key for vector in vectors))
    last = _last_sequence(c, index)
    ids = {key: place.record for key, place in known.items()}
    for vector in vectors:
        if vector.key not in ids:
            last += 1
            ids[vector.key] = codec.record_id(index.id, last)
    described = [(vector.key, *_metadata(index, vector)) for vector in vectors]
    # Rows first, and synced: a record that is committed never points to a row that is not on the disk.
    to.append(index.slots, _rows(index, vectors, described, ids))
    c.executemany(
        "INSERT OR REPLACE INTO records (id, index_id, key, filterable, other, slot) VALUES (?, ?, ?, ?, ?, ?)",
        [(ids[each[0]], index.id, *each, index.slots + number) for number, each in enumerate(described)],
    )
    _bury(c, index, known.values())
    sql = "UPDATE indexes SET generation = generation + 1, count = count + ?, slots = ?, last_sequence = ? WHERE id = ?"
    c.execute(sql, (len(ids) - len(known), index.slots + len(vectors), last, index.id))
    return ids


def delete(c: sqlite3.Connection, index: Index, keys: Iterable[str]) -> list[int]:
    """Remove the keys and return their record ids; absent ones are ignored."""
    places = list(_places(c, index, keys).values())
    c.executemany("DELETE FROM records WHERE id = ?", [(place.record,) for place in places])
    _bury(c, index, places)
    if places:
        sql = "UPDATE indexes SET generation = generation + 1, count = count - ? WHERE id = ?"
        c.execute(sql, (len(places), index.id))
    return [place.record for place in places]


def get(
    c: sqlite3.Connection, source: Slab, index: Index, keys: Iterable[str], *, data: bool, metadata: bool
) -> list[StoredVector]:
    """Return the vectors of the keys that exist."""
    rows = source.read(index.slots) if data else None
    return [_stored(c, rows, place.record, metadata=metadata) for place in _places(c, index, keys).values()]


def described(c: sqlite3.Connection, ids: Sequence[int], *, metadata: bool) -> list[tuple[str, bytes | None]]:
    """Return the keys of record ids, and their metadata where asked for."""
    found = _with_metadata(c, ids) if metadata else _keys(c, ids)
    return [found[id_] for id_ in ids]


def _keys(c: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[str, bytes | None]]:
    # As one row: a thread that steps through rows lets go of the interpreter at each.
    sql = f"SELECT json_group_array(json_array(id, key)) FROM records WHERE id IN ({_marks(ids)})"  # noqa: S608 - marks
    return {id_: (key, None) for id_, key in orjson.loads(c.execute(sql, ids).fetchone()[0])}


def _with_metadata(c: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[str, bytes | None]]:
    sql = f"SELECT id, key, filterable, other FROM records WHERE id IN ({_marks(ids)})"  # noqa: S608 - marks
    return {id_: (key, codec.join(*texts)) for id_, key, *texts in c.execute(sql, ids)}


def page(  # noqa: PLR0913 - all of them change what is on the page
    c: sqlite3.Connection,
    source: Slab,
    index: Index,
    *,
    after: int,
    limit: int,
    segment: tuple[int, int],
    data: bool,
    metadata: bool,
) -> tuple[list[StoredVector], int | None]:
    """Return vectors in the order of their first write, after a sequence number, and the number to go on from.

    `segment` is (index, count). A page ends at `limit`, or once it holds about 1 MB.
    """
    _, end = codec.id_range(index.id)
    number, count = segment
    sql = "SELECT id FROM records WHERE id > ? AND id < ? AND id % ? = ? ORDER BY id LIMIT ?"
    ids = [id_ for (id_,) in c.execute(sql, (codec.record_id(index.id, after), end, count, number, limit + 1))]
    rows = source.read(index.slots) if data else None
    vectors: list[StoredVector] = []
    size = 0
    for id_ in ids[:limit]:
        vectors.append(_stored(c, rows, id_, metadata=metadata))
        size += _size(vectors[-1])
        if size >= limits.LIST_PAGE_BYTES:
            break
    more = len(vectors) < len(ids)
    return vectors, codec.sequence(ids[len(vectors) - 1]) if more else None


def dead(c: sqlite3.Connection, index: Index, *, since: int = 0) -> Slots:
    """Return the slots that no record points to, of all that were buried after a generation."""
    sql = "SELECT slot FROM dead WHERE index_id = ? AND generation > ?"
    return np.fromiter((slot for (slot,) in c.execute(sql, (index.id, since))), np.int64)


def filterable(c: sqlite3.Connection, ids: Iterable[int]) -> Iterator[bytes | None]:
    """Yield the filterable metadata of record ids, in their order; None for an empty one, and for no such record."""
    for id_ in ids:
        row = c.execute("SELECT filterable FROM records WHERE id = ?", (id_,)).fetchone()
        yield row[0] if row else None


def all_filterable(c: sqlite3.Connection, index: Index) -> Iterator[tuple[int, bytes | None]]:
    """Yield the slots and the filterable metadata of all records, in their order."""
    yield from c.execute("SELECT slot, filterable FROM records WHERE id > ? AND id < ?", codec.id_range(index.id))


def documents(c: sqlite3.Connection, index: Index, *, after: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the ids of the records after one, and their whole metadata, in order."""
    first, end = codec.id_range(index.id)
    sql = "SELECT id, filterable, other FROM records WHERE id > ? AND id < ? ORDER BY id"
    for id_, filterable_part, other in c.execute(sql, (max(first, after), end)):
        yield id_, codec.join(filterable_part, other)


def _places(c: sqlite3.Connection, index: Index, keys: Iterable[str]) -> dict[str, _Place]:
    # In as few statements as may be: between two of them other threads may keep the interpreter.
    wanted = list(keys)
    found: dict[str, _Place] = {}
    for first in range(0, len(wanted), _MARKS):
        some = wanted[first : first + _MARKS]
        sql = f"SELECT key, id, slot FROM records WHERE index_id = ? AND key IN ({_marks(some)})"  # noqa: S608 - marks
        found |= {key: _Place(record, slot) for key, record, slot in c.execute(sql, (index.id, *some))}
    return {key: found[key] for key in wanted if key in found}


def _rows(index: Index, vectors: Sequence[NewVector], described: Sequence[_Described], ids: Mapping[str, int]) -> Rows:
    return slab.rows(
        [vector.data for vector in vectors],
        [ids[vector.key] for vector in vectors],
        dimension=index.dimension,
        described=[codec.checksum(*each) for each in described],
    )


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def _bury(c: sqlite3.Connection, index: Index, places: Iterable[_Place]) -> None:
    c.executemany("INSERT INTO dead VALUES (?, ?, ?)", [(index.id, index.generation + 1, each.slot) for each in places])


def _last_sequence(c: sqlite3.Connection, index: Index) -> int:
    return int(c.execute("SELECT last_sequence FROM indexes WHERE id = ?", (index.id,)).fetchone()[0])


def _metadata(index: Index, vector: NewVector) -> tuple[bytes | None, bytes | None]:
    filterable_part, other = codec.split(vector.metadata, non_filterable=index.non_filterable)
    return codec.metadata_bytes(filterable_part), codec.metadata_bytes(other)


def _stored(c: sqlite3.Connection, rows: Rows | None, id_: int, *, metadata: bool) -> StoredVector:
    key, slot, text = _record(c, id_, metadata=metadata)
    return StoredVector(key, data=None if rows is None else rows["data"][slot].copy(), metadata=text)


def _record(c: sqlite3.Connection, id_: int, *, metadata: bool) -> tuple[str, int, bytes | None]:
    if not metadata:
        key, slot = c.execute("SELECT key, slot FROM records WHERE id = ?", (id_,)).fetchone()
        return key, slot, None
    row: tuple[Any, ...] = c.execute("SELECT key, slot, filterable, other FROM records WHERE id = ?", (id_,)).fetchone()
    key, slot, *parts = row
    return key, slot, codec.join(*parts)


def _size(vector: StoredVector) -> int:
    data = 0 if vector.data is None else vector.data.nbytes
    return len(vector.key.encode()) + data + len(vector.metadata or b"")
