"""Buckets, indexes, policies and tags, as rows. Every function works inside the caller's transaction."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from s3vectors_local.errors import StoreFailed
from s3vectors_local.model import Bucket, Encryption, Index, Language, Metric, Mode, NewIndex, TextKey
from s3vectors_local.storage.codec import id_range

_INDEX_COLUMNS: Final = """
    SELECT indexes.id, buckets.name, indexes.name, indexes.created, dimension, metric, non_filterable,
        indexes.sse_type, indexes.kms_key_arn, mode, generation, slab, slots, count,
        EXISTS (SELECT 1 FROM text_keys WHERE index_id = indexes.id)
    FROM indexes JOIN buckets ON buckets.id = bucket_id
"""


def add_bucket(c: sqlite3.Connection, name: str, *, created: int, encryption: Encryption, mode: Mode) -> int:
    """Insert a bucket and return its id."""
    row = (name, created, encryption.sse_type, encryption.kms_key_arn, mode)
    sql = "INSERT INTO buckets (name, created, sse_type, kms_key_arn, default_mode) VALUES (?, ?, ?, ?, ?)"
    return _inserted(c.execute(sql, row))


def bucket(c: sqlite3.Connection, name: str) -> Bucket | None:
    """Return a bucket, None where there is none."""
    sql = "SELECT id, name, created, sse_type, kms_key_arn, default_mode, policy FROM buckets WHERE name = ?"
    row = c.execute(sql, (name,)).fetchone()
    return _bucket(row) if row else None


def buckets(c: sqlite3.Connection, *, prefix: str, after: str, limit: int) -> list[Bucket]:
    """Return buckets by name."""
    sql = """
        SELECT id, name, created, sse_type, kms_key_arn, default_mode, policy FROM buckets
        WHERE name > ? AND substr(name, 1, length(?)) = ? ORDER BY name LIMIT ?
    """
    return [_bucket(row) for row in c.execute(sql, (after, prefix, prefix, limit))]


def count_buckets(c: sqlite3.Connection) -> int:
    """Return how many buckets there are."""
    return int(c.execute("SELECT count(*) FROM buckets").fetchone()[0])


def count_indexes(c: sqlite3.Connection, bucket_id: int) -> int:
    """Return how many indexes a bucket has."""
    return int(c.execute("SELECT count(*) FROM indexes WHERE bucket_id = ?", (bucket_id,)).fetchone()[0])


def set_policy(c: sqlite3.Connection, bucket_id: int, policy: str | None) -> None:
    """Replace the bucket's policy; None removes it."""
    c.execute("UPDATE buckets SET policy = ? WHERE id = ?", (policy, bucket_id))


def set_default_mode(c: sqlite3.Connection, bucket_id: int, mode: Mode) -> None:
    """Set the mode that new indexes take."""
    c.execute("UPDATE buckets SET default_mode = ? WHERE id = ?", (mode, bucket_id))


def remove_bucket(c: sqlite3.Connection, bucket_id: int) -> None:
    """Delete a bucket without indexes, and its tags."""
    c.execute("DELETE FROM tags WHERE bucket_id = ?", (bucket_id,))
    c.execute("DELETE FROM buckets WHERE id = ?", (bucket_id,))


def add_index(c: sqlite3.Connection, bucket: Bucket, new: NewIndex, *, created: int) -> int:
    """Insert an index that takes its bucket's mode, and return its id."""
    sql = """
        INSERT INTO indexes
            (bucket_id, name, created, dimension, metric, non_filterable, sse_type, kms_key_arn, mode)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    """
    keys = orjson.dumps(new.non_filterable).decode()
    encryption = new.encryption or bucket.encryption
    secret = (encryption.sse_type, encryption.kms_key_arn)
    row = (bucket.id, new.name, created, new.dimension, new.metric, keys, *secret, bucket.default_mode)
    return _inserted(c.execute(sql, row))


def index(c: sqlite3.Connection, bucket: str, name: str) -> Index | None:
    """Return an index, None where there is none."""
    row = c.execute(f"{_INDEX_COLUMNS} WHERE buckets.name = ? AND indexes.name = ?", (bucket, name)).fetchone()
    return _index(c, row) if row else None


def index_of(c: sqlite3.Connection, id_: int) -> Index | None:
    """Return the index of an id, None where there is none."""
    row = c.execute(f"{_INDEX_COLUMNS} WHERE indexes.id = ?", (id_,)).fetchone()
    return _index(c, row) if row else None


def indexes(c: sqlite3.Connection, bucket: Bucket, *, prefix: str, after: str, limit: int) -> list[Index]:
    """Return indexes of a bucket by name."""
    sql = f"""
        {_INDEX_COLUMNS} WHERE bucket_id = ? AND indexes.name > ? AND substr(indexes.name, 1, length(?)) = ?
        ORDER BY indexes.name LIMIT ?
    """
    rows = c.execute(sql, (bucket.id, after, prefix, prefix, limit)).fetchall()
    return [_index(c, row) for row in rows]


def set_mode(c: sqlite3.Connection, index_id: int, mode: Mode) -> None:
    """Set an index's mode."""
    c.execute("UPDATE indexes SET mode = ? WHERE id = ?", (mode, index_id))


def remove_index(c: sqlite3.Connection, index_id: int) -> None:
    """Delete an index with all that is in it, but for its texts."""
    bounds = id_range(index_id)
    c.execute("DELETE FROM records WHERE id > ? AND id < ?", bounds)
    c.execute("DELETE FROM dead WHERE index_id = ?", (index_id,))
    c.execute("DELETE FROM tags WHERE index_id = ?", (index_id,))
    c.execute("DELETE FROM indexes WHERE id = ?", (index_id,))


def all_indexes(c: sqlite3.Connection) -> list[Index]:
    """Return the indexes of all buckets, in the order of their making."""
    return [_index(c, row) for row in c.execute(f"{_INDEX_COLUMNS} ORDER BY indexes.id").fetchall()]


def last_index_id(c: sqlite3.Connection) -> int:
    """Return the highest id that an index ever had, 0 for none."""
    row = c.execute("SELECT seq FROM sqlite_sequence WHERE name = 'indexes'").fetchone()
    return int(row[0]) if row else 0


def text_keys(c: sqlite3.Connection, index_id: int) -> tuple[TextKey, ...]:
    """Return the searchable keys of an index, in the order they were declared."""
    sql = "SELECT id, key, language, documents, length, filled FROM text_keys WHERE index_id = ? ORDER BY id"
    return tuple(
        TextKey(id_, key, Language(language) if language else None, documents, length, filled)
        for id_, key, language, documents, length, filled in c.execute(sql, (index_id,))
    )


def tags(c: sqlite3.Connection, bucket_id: int, index_id: int) -> dict[str, str]:
    """Return the tags of a bucket (index_id 0) or of an index."""
    sql = "SELECT key, value FROM tags WHERE bucket_id = ? AND index_id = ?"
    return dict(c.execute(sql, (bucket_id, index_id)))


def put_tags(c: sqlite3.Connection, bucket_id: int, index_id: int, tags: Mapping[str, str]) -> None:
    """Add tags, replacing those of equal key."""
    rows = [(bucket_id, index_id, key, value) for key, value in tags.items()]
    c.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)", rows)


def remove_tags(c: sqlite3.Connection, bucket_id: int, index_id: int, keys: Iterable[str]) -> None:
    """Remove tags; absent ones are ignored."""
    rows = [(bucket_id, index_id, key) for key in keys]
    c.executemany("DELETE FROM tags WHERE bucket_id = ? AND index_id = ? AND key = ?", rows)


def _inserted(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise AssertionError("an INSERT gives a row id")
    return cursor.lastrowid


def _bucket(row: tuple[Any, ...]) -> Bucket:
    id_, name, created, sse_type, kms_key_arn, mode, policy = row
    try:
        return Bucket(id_, name, created, Encryption(sse_type, kms_key_arn), Mode(mode), policy)
    except (TypeError, ValueError) as error:
        raise StoreFailed(f"the database is damaged at bucket {name}: {error}") from error


def _index(c: sqlite3.Connection, row: tuple[Any, ...]) -> Index:
    try:
        return _decoded(c, row)
    except (TypeError, ValueError) as error:
        raise StoreFailed(f"the database is damaged at index {row[1]}/{row[2]}: {error}") from error


def _decoded(c: sqlite3.Connection, row: tuple[Any, ...]) -> Index:
    id_, bucket_, name, created, dimension, metric, keys, sse_type, kms_key_arn, mode, *state = row
    generation, slab, slots, count, has_texts = state
    return Index(
        id_,
        bucket_,
        name,
        created,
        dimension,
        Metric(metric),
        tuple(orjson.loads(keys)),
        Encryption(sse_type, kms_key_arn),
        Mode(mode),
        generation,
        slab,
        slots,
        count,
        text_keys(c, id_) if has_texts else (),
    )
