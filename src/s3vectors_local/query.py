"""Exact nearest neighbours over one consistent view, the filter applied before the search.

Rows stay in memory, one copy an index, loaded at its first query and tied to the index's generation, so that a write by
this or another process is seen by the next query. Indexes too large for that are read from the store at every query.
"""

import sqlite3
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s3vectors_local import limits
from s3vectors_local.distance import distances, nearest, prepared
from s3vectors_local.filters import Predicate
from s3vectors_local.memory import available_bytes
from s3vectors_local.model import Float32, Index
from s3vectors_local.storage import codec, records

_GATHER = 4  # below one row in this many, picking the matching rows is cheaper than computing all
_JSON_FACTOR = 8  # bytes in memory for a byte of metadata text, about

Ids = records.Ids
Found = list[tuple[int, float]]
"""Record ids and distances, nearest first; of equal distances the vector first written comes first."""


class SnapshotTooOld(Exception):
    """The view is older than the rows in memory."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of an index at one generation. The arrays may share memory with a later, longer generation."""

    generation: int
    ids: Ids
    matrix: Float32
    metadata: tuple[dict[str, Any], ...] | None
    metadata_size: int = 0

    def nearest(self, query: Float32, *, k: int, where: Predicate | None, index: Index) -> Found:
        if where is None or self.metadata is None:
            return _top(self.ids, distances(self.matrix, query, metric=index.metric), k=k)
        mask = np.fromiter(map(where, self.metadata), dtype=bool, count=len(self.metadata))
        places = np.flatnonzero(mask)
        if len(places) * _GATHER < len(mask):
            return _top(self.ids[places], distances(self.matrix[places], query, metric=index.metric), k=k)
        return _top(self.ids[places], distances(self.matrix, query, metric=index.metric)[places], k=k)


@dataclass(slots=True)
class _Resident:
    lock: threading.Lock = field(default_factory=threading.Lock)
    rows: _Rows | None = None
    size: int = 0


class Search:
    """Finds the nearest rows of an index; keeps rows in memory, up to a bound over all indexes."""

    def __init__(self, *, resident_bytes: int | None = None) -> None:
        """Keep at most so many bytes; the indexes queried longest ago are dropped first."""
        self._bound = available_bytes() // limits.RESIDENT_SHARE if resident_bytes is None else resident_bytes
        self._residents: OrderedDict[int, _Resident] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(
        self, c: sqlite3.Connection, index: Index, query: Float32, *, k: int, where: Predicate | None = None
    ) -> Found:
        """Return at most k record ids with their distances. Raises SnapshotTooOld: open a new view and ask again."""
        query = prepared(query[None, :], metric=index.metric)[0]
        if index.count * index.dimension * 4 > self._bound:
            return _streamed(c, index, query, k=k, where=where)
        rows = self._rows(c, index, with_metadata=where is not None)
        return rows.nearest(query, k=k, where=where, index=index)

    def forget(self, index_id: int) -> None:
        """Drop the rows of a deleted index."""
        with self._lock:
            self._residents.pop(index_id, None)

    def _rows(self, c: sqlite3.Connection, index: Index, *, with_metadata: bool) -> _Rows:
        resident = self._resident(index.id)
        with resident.lock:
            rows = resident.rows
            if rows is not None and rows.generation > index.generation:
                raise SnapshotTooOld
            rows = resident.rows = _refreshed(c, index, rows, with_metadata=with_metadata)
            resident.size = rows.matrix.nbytes + rows.ids.nbytes + rows.metadata_size
        self._shrink()
        return rows

    def _resident(self, index_id: int) -> _Resident:
        with self._lock:
            resident = self._residents.setdefault(index_id, _Resident())
            self._residents.move_to_end(index_id)
            return resident

    def _shrink(self) -> None:
        with self._lock:
            total = sum(resident.size for resident in self._residents.values())
            while total > self._bound and len(self._residents) > 1:
                _, dropped = self._residents.popitem(last=False)
                total -= dropped.size


def _refreshed(c: sqlite3.Connection, index: Index, old: _Rows | None, *, with_metadata: bool) -> _Rows:
    """Return the rows at the index's generation, reading only what was appended where that is all that changed."""
    if old is None or index.rewritten > old.generation:
        old = _Rows(0, np.empty(0, np.int64), np.empty((0, index.dimension), np.float32), None)
    matrix, ids = old.matrix, old.ids
    if old.generation < index.generation:
        ids, matrix = _appended(c, index, old)
    metadata, size = old.metadata, old.metadata_size
    if metadata is None and not with_metadata:
        return _Rows(index.generation, ids, matrix, None)
    if metadata is None or len(metadata) < len(ids):
        metadata, size = _parsed(c, index, metadata or (), size, after=_last(old.ids) if metadata else 0)
    return _Rows(index.generation, ids, matrix, metadata, size)


def _last(ids: Ids) -> int:
    return int(ids[-1]) if len(ids) else 0


def _appended(c: sqlite3.Connection, index: Index, old: _Rows) -> tuple[Ids, Float32]:
    ids, matrix = _room(old, index.count)
    filled = len(old.ids)
    for block_ids, block in records.blocks(c, index, after=_last(old.ids)):
        end = filled + len(block_ids)
        ids[filled:end] = block_ids
        matrix[filled:end] = prepared(block, metric=index.metric)
        filled = end
    return ids[:filled], matrix[:filled]


def _room(old: _Rows, count: int) -> tuple[Ids, Float32]:
    """Return arrays that begin with the old rows and hold `count`: the old memory where it has room to spare.

    Older views stay as they are: only what lies behind their end is ever written.
    """
    ids, matrix = old.ids.base, old.matrix.base
    if isinstance(ids, np.ndarray) and isinstance(matrix, np.ndarray) and len(matrix) >= count:
        return ids, matrix
    capacity = count if not len(old.ids) else max(count, len(old.ids) * 5 // 4)
    ids = np.empty(capacity, np.int64)
    matrix = np.empty((capacity, old.matrix.shape[1]), np.float32)
    ids[: len(old.ids)] = old.ids
    matrix[: len(old.ids)] = old.matrix
    return ids, matrix


def _parsed(
    c: sqlite3.Connection, index: Index, known: tuple[dict[str, Any], ...], size: int, *, after: int
) -> tuple[tuple[dict[str, Any], ...], int]:
    texts = [text for _, text in records.filterable(c, index, after=after)]
    size += _JSON_FACTOR * sum(len(text) for text in texts if text)
    return (*known, *map(codec.metadata, texts)), size


def _streamed(c: sqlite3.Connection, index: Index, query: Float32, *, k: int, where: Predicate | None) -> Found:
    if where is None:
        blocks = records.blocks(c, index)
    else:
        texts = records.filterable(c, index)
        blocks = records.rows(c, index, [id_ for id_, text in texts if where(codec.metadata(text))])
    best_ids, best = np.empty(0, np.int64), np.empty(0, np.float32)
    for ids, rows in blocks:
        found = distances(prepared(rows, metric=index.metric), query, metric=index.metric)
        # The best so far stand first: among equals they were written earlier.
        all_ids, all_distances = np.concatenate([best_ids, ids]), np.concatenate([best, found])
        places = nearest(all_distances, k)
        best_ids, best = all_ids[places], all_distances[places]
    return list(zip(best_ids.tolist(), best.tolist(), strict=True))


def _top(ids: Ids, found: Float32, *, k: int) -> Found:
    places = nearest(found, k)
    return list(zip(ids[places].tolist(), found[places].tolist(), strict=True))
