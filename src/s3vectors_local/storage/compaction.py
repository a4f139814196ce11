"""A new slab for an index, without the rows that no record points to any more.

The rows are copied beside the writers; then, in one transaction, what came meanwhile is copied too, and the records are
led to the new slab. Until that commits nothing refers to it, and what a crash leaves is removed at the next start.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from s3vectors_local.model import Index
from s3vectors_local.storage import records
from s3vectors_local.storage.codec import id_range
from s3vectors_local.storage.records import Slots
from s3vectors_local.storage.slab import Rows, Slab
from s3vectors_local.storage.store import Store

_BLOCK_BYTES: Final = 64 * 1024 * 1024
_RECORDS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Move:
    """Where the rows of an index went: `to` has the new slot of each old one, -1 for one that is gone."""

    number: int
    slots: int
    to: Slots


def compact(store: Store, index: Index) -> Move | None:
    """Move an index to a new slab; None where it changed in a way that leaves nothing to do.

    Writers wait while the records are led to their new slots, some seconds for a million.
    """
    new = store.slabs.slab(index.id, index.slab + 1, dimension=index.dimension)
    with store.read() as c:
        old = store.slabs.slab(index.id, index.slab, dimension=index.dimension).read(index.slots, in_order=True)
        gone = records.dead(c, index)
    with _making(store, index), store.guarded():
        to = _copied(old, new, _alive(gone, 0, index.slots), Move(index.slab + 1, 0, np.full(index.slots, -1)))
    with store.write() as c, _making(store, index):  # not around the COMMIT: one that failed may be in the log
        move = _finish(store, c, index, new, to)
    if move is not None:
        store.slabs.remove(index.id, index.slab)
    return move


@contextmanager
def _making(store: Store, index: Index) -> Iterator[None]:
    """Remove the new slab if making it fails, by a full disk, say: nothing refers to it yet."""
    try:
        yield
    except BaseException:
        store.slabs.remove(index.id, index.slab + 1)
        raise


def _finish(store: Store, c: sqlite3.Connection, before: Index, new: Slab, move: Move) -> Move | None:
    row = c.execute("SELECT slab, slots FROM indexes WHERE id = ?", (before.id,)).fetchone()
    if row is None:  # deleted meanwhile
        store.slabs.remove(before.id, move.number)
        return None
    if row[0] != before.slab:
        return None
    slots = row[1]
    rows = store.slabs.slab(before.id, before.slab, dimension=before.dimension).read(slots, in_order=True)
    died = records.dead(c, before, since=before.generation)
    longer = np.concatenate([move.to, np.full(slots - before.slots, -1)])
    move = _copied(rows, new, _alive(died, before.slots, slots), Move(move.number, move.slots, longer))
    _lead(c, before, move)
    _bury(c, before, move.to[died])
    return move


def _copied(old: Rows, new: Slab, slots: Slots, move: Move) -> Move:
    step = max(1, _BLOCK_BYTES // old.dtype.itemsize)
    end = move.slots
    for part in _parts(slots, step):
        new.append(end, old.take(part))
        move.to[part] = np.arange(end, end + len(part))
        end += len(part)
    return Move(move.number, end, move.to)


def _lead(c: sqlite3.Connection, index: Index, move: Move) -> None:
    # Some at a time: a million rows as Python's objects would take hundreds of megabytes, and leave holes behind.
    after, end = id_range(index.id)
    page = "SELECT id, slot FROM records WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
    while found := c.execute(page, (after, end, _RECORDS)).fetchall():
        slots = move.to[np.array([slot for _, slot in found], np.int64)].tolist()
        ids = [id_ for id_, _ in found]
        c.executemany("UPDATE records SET slot = ? WHERE id = ?", zip(slots, ids, strict=True))
        after = ids[-1]
    sql = "UPDATE indexes SET slab = ?, slots = ?, generation = generation + 1 WHERE id = ?"
    c.execute(sql, (move.number, move.slots, index.id))


def _bury(c: sqlite3.Connection, index: Index, died: Slots) -> None:
    (generation,) = c.execute("SELECT generation FROM indexes WHERE id = ?", (index.id,)).fetchone()
    c.execute("DELETE FROM dead WHERE index_id = ?", (index.id,))
    rows = [(index.id, generation, slot) for slot in died[died >= 0].tolist()]
    c.executemany("INSERT INTO dead VALUES (?, ?, ?)", rows)


def _alive(dead: Slots, start: int, end: int) -> Slots:
    alive = np.ones(end, np.bool_)
    alive[dead] = False
    return np.flatnonzero(alive[start:]) + start


def _parts(slots: Slots, step: int) -> Iterator[Slots]:
    for start in range(0, len(slots), step):
        yield slots[start : start + step]
