"""Older formats, brought up to date in the caller's transaction.

What a migration writes beside the database is referred to by nothing before the transaction commits; one that did not
end is begun again from the start.
"""

import sqlite3
from typing import Final

import numpy as np

from s3vectors_local import limits
from s3vectors_local.storage import schema, slab
from s3vectors_local.storage.codec import id_range
from s3vectors_local.storage.slab import Slab, Slabs

_FIRST_SLAB: Final = 1


def migrate(c: sqlite3.Connection, slabs: Slabs) -> None:
    """Bring the database to the present format."""
    if schema.version(c) < 2:  # had no text search
        schema.execute(c, schema.TEXT_TABLES)
    elif schema.version(c) < 4:  # knew no key that is still being filled
        c.execute("ALTER TABLE text_keys ADD COLUMN filled INTEGER")
    if schema.version(c) < 3:  # kept rows as blobs
        _move_rows(c, slabs)
    c.execute(f"PRAGMA user_version = {schema.FORMAT_VERSION}")


def _move_rows(c: sqlite3.Connection, slabs: Slabs) -> None:
    schema.execute(c, schema.SLAB_TABLES)
    c.execute("ALTER TABLE indexes DROP COLUMN rewritten")
    c.execute(f"ALTER TABLE indexes ADD COLUMN slab INTEGER NOT NULL DEFAULT {_FIRST_SLAB}")
    c.execute("ALTER TABLE indexes ADD COLUMN slots INTEGER NOT NULL DEFAULT 0")
    c.execute("ALTER TABLE records ADD COLUMN slot INTEGER NOT NULL DEFAULT 0")
    for index_id, dimension in c.execute("SELECT id, dimension FROM indexes").fetchall():
        slots = _move(c, index_id, slabs.slab(index_id, _FIRST_SLAB, dimension=dimension), dimension)
        c.execute("UPDATE indexes SET slots = ? WHERE id = ?", (slots, index_id))
    c.execute("DROP TABLE vectors")


def _move(c: sqlite3.Connection, index_id: int, to: Slab, dimension: int) -> int:
    slots = 0
    step = max(1, limits.STREAM_BYTES // (4 * dimension))
    cursor = c.execute("SELECT id, data FROM vectors WHERE id > ? AND id < ? ORDER BY id", id_range(index_id))
    while found := cursor.fetchmany(step):
        ids = [id_ for id_, _ in found]
        data = [np.frombuffer(blob, "<f4") for _, blob in found]
        to.append(slots, slab.rows(data, ids, dimension=dimension))
        c.executemany("UPDATE records SET slot = ? WHERE id = ?", [(slots + n, id_) for n, id_ in enumerate(ids)])
        slots += len(found)
    return slots
