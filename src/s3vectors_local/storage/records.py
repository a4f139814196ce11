"""Vectors as rows: write, read, list, scan. Every function works inside the caller's transaction."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from s3vectors_local import limits
from s3vectors_local.model import Float32, Index, NewVector, StoredVector
from s3vectors_local.storage import codec

Ids = np.ndarray[Any, np.dtype[np.int64]]


def put(c: sqlite3.Connection, index: Index, vectors: Sequence[NewVector]) -> dict[str, int]:
    """Store vectors of different keys and return their record ids by key.

    Those of keys that exist are replaced and keep their place.
    """
    known = _ids(c, index, (vector.key for vector in vectors))
    last = _last_sequence(c, index)
    ids = dict(known)
    for vector in vectors:
        if vector.key not in ids:
            last += 1
            ids[vector.key] = codec.record_id(index.id, last)
    c.executemany(
        "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)",
        [(ids[vector.key], index.id, vector.key, *_metadata(index, vector)) for vector in vectors],
    )
    c.executemany(
        "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
        [(ids[vector.key], codec.row_bytes(vector.data)) for vector in vectors],
    )
    _written(c, index, added=len(ids) - len(known), rewritten=bool(known))
    c.execute("UPDATE indexes SET last_sequence = ? WHERE id = ?", (last, index.id))
    return ids


def delete(c: sqlite3.Connection, index: Index, keys: Iterable[str]) -> list[int]:
    """Remove the keys and return their record ids; absent ones are ignored."""
    ids = list(_ids(c, index, keys).values())
    rows = [(id_,) for id_ in ids]
    c.executemany("DELETE FROM records WHERE id = ?", rows)
    c.executemany("DELETE FROM vectors WHERE id = ?", rows)
    if ids:
        _written(c, index, added=-len(ids), rewritten=True)
    return ids


def get(c: sqlite3.Connection, index: Index, keys: Iterable[str], *, data: bool, metadata: bool) -> list[StoredVector]:
    """Return the vectors of the keys that exist."""
    return fetch(c, index, _ids(c, index, keys).values(), data=data, metadata=metadata)


def fetch(c: sqlite3.Connection, index: Index, ids: Iterable[int], *, data: bool, metadata: bool) -> list[StoredVector]:
    """Return the vectors of record ids that exist, in their order."""
    return [_stored(c, index, id_, data=data, metadata=metadata) for id_ in ids]


def page(
    c: sqlite3.Connection,
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
    vectors: list[StoredVector] = []
    size = 0
    for id_ in ids[:limit]:
        vectors.append(_stored(c, index, id_, data=data, metadata=metadata))
        size += _size(vectors[-1])
        if size >= limits.LIST_PAGE_BYTES:
            break
    more = len(vectors) < len(ids)
    return vectors, codec.sequence(ids[len(vectors) - 1]) if more else None


def blocks(c: sqlite3.Connection, index: Index, *, after: int = 0) -> Iterator[tuple[Ids, Float32]]:
    """Yield ids and rows after a record id, in order, some megabytes at a time."""
    start, end = codec.id_range(index.id)
    cursor = c.execute("SELECT id, data FROM vectors WHERE id > ? AND id < ? ORDER BY id", (max(start, after), end))
    while rows := cursor.fetchmany(_block(index)):
        ids, blobs = zip(*rows, strict=True)
        yield np.array(ids, dtype=np.int64), codec.rows(blobs, dimension=index.dimension)


def filterable(c: sqlite3.Connection, index: Index, *, after: int = 0) -> Iterator[tuple[int, bytes | None]]:
    """Yield record ids and their filterable metadata after a record id, in order."""
    start, end = codec.id_range(index.id)
    sql = "SELECT id, filterable FROM records WHERE id > ? AND id < ? ORDER BY id"
    yield from c.execute(sql, (max(start, after), end))


def filterable_of(c: sqlite3.Connection, ids: Iterable[int]) -> Iterator[tuple[int, bytes | None]]:
    """Yield the filterable metadata of the given records, in their order."""
    for id_ in ids:
        yield id_, c.execute("SELECT filterable FROM records WHERE id = ?", (id_,)).fetchone()[0]


def documents(c: sqlite3.Connection, index: Index) -> Iterator[tuple[int, bytes]]:
    """Yield record ids and their whole metadata, in order."""
    sql = "SELECT id, filterable, other FROM records WHERE id > ? AND id < ? ORDER BY id"
    for id_, filterable_part, other in c.execute(sql, codec.id_range(index.id)):
        yield id_, codec.join(filterable_part, other)


def rows(c: sqlite3.Connection, index: Index, ids: Sequence[int]) -> Iterator[tuple[Ids, Float32]]:
    """Yield ids and rows of the given records, some megabytes at a time."""
    step = _block(index)
    for start in range(0, len(ids), step):
        part = ids[start : start + step]
        blobs = [c.execute("SELECT data FROM vectors WHERE id = ?", (id_,)).fetchone()[0] for id_ in part]
        yield np.array(part, dtype=np.int64), codec.rows(blobs, dimension=index.dimension)


def _block(index: Index) -> int:
    return max(1, limits.STREAM_BYTES // (4 * index.dimension))


def _ids(c: sqlite3.Connection, index: Index, keys: Iterable[str]) -> dict[str, int]:
    sql = "SELECT id FROM records WHERE index_id = ? AND key = ?"
    found = ((key, c.execute(sql, (index.id, key)).fetchone()) for key in keys)
    return {key: row[0] for key, row in found if row}


def _last_sequence(c: sqlite3.Connection, index: Index) -> int:
    return int(c.execute("SELECT last_sequence FROM indexes WHERE id = ?", (index.id,)).fetchone()[0])


def _written(c: sqlite3.Connection, index: Index, *, added: int, rewritten: bool) -> None:
    sql = """
        UPDATE indexes SET generation = generation + 1, count = count + ?,
            rewritten = CASE WHEN ? THEN generation + 1 ELSE rewritten END
        WHERE id = ?
    """
    c.execute(sql, (added, rewritten, index.id))


def _metadata(index: Index, vector: NewVector) -> tuple[bytes | None, bytes | None]:
    filterable_part, other = codec.split(vector.metadata, non_filterable=index.non_filterable)
    return codec.metadata_bytes(filterable_part), codec.metadata_bytes(other)


def _stored(c: sqlite3.Connection, index: Index, id_: int, *, data: bool, metadata: bool) -> StoredVector:
    key, text = _record(c, id_, metadata=metadata)
    return StoredVector(key, data=_row(c, index, id_) if data else None, metadata=text)


def _record(c: sqlite3.Connection, id_: int, *, metadata: bool) -> tuple[str, bytes | None]:
    if not metadata:
        (key,) = c.execute("SELECT key FROM records WHERE id = ?", (id_,)).fetchone()
        return key, None
    key, *parts = c.execute("SELECT key, filterable, other FROM records WHERE id = ?", (id_,)).fetchone()
    return key, codec.join(*parts)


def _row(c: sqlite3.Connection, index: Index, id_: int) -> Float32:
    (blob,) = c.execute("SELECT data FROM vectors WHERE id = ?", (id_,)).fetchone()
    row: Float32 = codec.rows([blob], dimension=index.dimension)[0]
    return row


def _size(vector: StoredVector) -> int:
    data = 0 if vector.data is None else vector.data.nbytes
    return len(vector.key.encode()) + data + len(vector.metadata or b"")
