"""Queries by vector: the views of the indexes that were queried last, brought up to date at each query."""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from s3vectors_local.filters import Tree
from s3vectors_local.model import Float32, Index
from s3vectors_local.search.coarse import Coarse, Mask, Summary
from s3vectors_local.search.codes import Codes
from s3vectors_local.search.metadata import Filterable
from s3vectors_local.search.view import Found, View, grown
from s3vectors_local.storage import records
from s3vectors_local.storage.slab import Slab

_VIEWS: Final = 256  # indexes whose views are kept: each may hold a file open
_ENCODED: Final = 4_096  # rows at a time
_READ_AHEAD: Final = 32 * 1024 * 1024  # bytes: less is read soon enough

Loader = Callable[[Index], Coarse | None]


class SnapshotTooOld(Exception):
    """The caller's transaction is older than the view in memory."""


@dataclass(slots=True)
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    view: View | None = None
    coarse: Coarse | None = None
    loaded: bool = False
    reading: threading.Lock = field(default_factory=threading.Lock)
    metadata: Filterable = field(default_factory=Filterable)
    generation: int = 0
    """Of the transaction that read metadata last: of a slot that has died since an older one, it may lack them."""


class Search:
    """Finds the nearest rows of an index. Thread-safe."""

    def __init__(self, *, load: Loader = lambda _: None) -> None:
        """Look for the coarse index of an index with `load`, once, when it is first queried."""
        self._load = load
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(
        self, c: sqlite3.Connection, slab: Slab, index: Index, query: Float32, *, k: int, where: Tree | None = None
    ) -> Found:
        """Return at most k record ids with their distances. Raises SnapshotTooOld, SlabGone."""
        view, selected = self._view(c, slab, index, where)
        return view.nearest(query, k=k, selected=selected)

    def adopt(self, c: sqlite3.Connection, slab: Slab, index: Index, coarse: Coarse) -> None:
        """Use a coarse index from the next query on. What came since it was built is encoded here, beside queries."""
        view = _brought_up(c, slab, index, None, coarse)
        kept = self._of(index.id)
        with kept.lock:
            kept.coarse, kept.loaded = coarse, True
            # Never back to an older view: metadata in memory may lack what was overwritten since.
            if kept.view is None or kept.view.index.generation <= view.index.generation:
                kept.view = view

    def coarse(self, index: Index) -> Coarse | None:
        """Return the coarse index in use, None where every row is compared."""
        kept = self._of(index.id)
        with kept.lock:
            return self._usable(kept, index)

    def summary(self, index: Index) -> Summary | None:
        """Return what is told of the coarse index that was used last, None where there is none."""
        with self._lock:
            kept = self._kept.get(index.id)
        coarse = kept.coarse if kept else None
        return coarse.summary() if coarse and coarse.slab == index.slab else None

    def has_looked(self, index: Index) -> bool:
        """Tell whether it is known if there is a coarse index that can be used."""
        with self._lock:
            kept = self._kept.get(index.id)
        return kept is not None and kept.loaded

    def slabs(self) -> dict[int, int]:
        """Return which slab of each index is mapped: while it is, the file takes room even when it has no name."""
        with self._lock:
            views = {index_id: kept.view for index_id, kept in self._kept.items()}
        return {index_id: view.index.slab for index_id, view in views.items() if view is not None}

    def forget(self, index_id: int) -> None:
        """Drop what is known of an index."""
        with self._lock:
            self._kept.pop(index_id, None)

    def _of(self, index_id: int) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(index_id, _Kept())
            self._kept.move_to_end(index_id)
            while len(self._kept) > _VIEWS:
                self._kept.popitem(last=False)
            return kept

    def _view(self, c: sqlite3.Connection, slab: Slab, index: Index, where: Tree | None) -> tuple[View, Mask | None]:
        kept = self._of(index.id)
        with kept.lock:
            if kept.view is not None and kept.view.index.generation > index.generation:
                raise SnapshotTooOld
            coarse = self._usable(kept, index)
            view = kept.view = _brought_up(c, slab, index, kept.view, coarse)
        if where is None:
            return view, None
        # A lock of its own: the first filter on a large index reads for seconds, and others need no metadata.
        with kept.reading:
            metadata = _extended(c, index, kept, view)
        return view, metadata.mask(where, index.slots)

    def _usable(self, kept: _Kept, index: Index) -> Coarse | None:
        if not kept.loaded:
            kept.coarse, kept.loaded = self._load(index), True
        coarse = kept.coarse
        return coarse if coarse and coarse.slab == index.slab and coarse.generation <= index.generation else None


def _extended(c: sqlite3.Connection, index: Index, kept: _Kept, view: View) -> Filterable:
    if kept.generation > index.generation:
        raise SnapshotTooOld
    if kept.metadata.slab != index.slab:
        kept.metadata = Filterable(index.slab)
    longer = kept.metadata.extended(c, index, view.rows)
    if longer is not kept.metadata:
        kept.metadata, kept.generation = longer, index.generation
    return longer


def _brought_up(c: sqlite3.Connection, slab: Slab, index: Index, old: View | None, coarse: Coarse | None) -> View:
    """Return the view of an index in the caller's transaction, from the one before."""
    if old is None or old.index.slab != index.slab:
        old = _first(c, slab, index)
    elif old.index.generation < index.generation:
        old = _next(c, slab, index, old)
    return old if old.coarse is coarse else _coded(old, coarse)


def _first(c: sqlite3.Connection, slab: Slab, index: Index) -> View:
    rows = slab.read(index.slots)
    if rows.nbytes > _READ_AHEAD:
        slab.read_ahead()
    dead = np.zeros(index.slots, np.bool_)
    dead[records.dead(c, index)] = True
    return View(index, rows, dead)


def _next(c: sqlite3.Connection, slab: Slab, index: Index, old: View) -> View:
    rows = old.rows if len(old.rows) >= index.slots else slab.read(index.slots)
    gone = records.dead(c, index, since=old.index.generation)
    dead = _with_room(old.dead, index.slots, copied=bool(len(gone)))
    dead[gone] = True
    view = View(index, rows, dead, old.coarse, old.without, old.tail)
    if old.coarse is None:
        return view
    without = _without(old.coarse, gone, old.without)
    return replace(view, without=without, tail=_longer(view, old.index.slots))


def _with_room(dead: Mask, slots: int, *, copied: bool) -> Mask:
    # Older views look at no slot behind their own, so what is behind may be shared until somebody dies.
    if len(dead) >= slots and not copied:
        return dead
    capacity = max(slots, len(dead)) if len(dead) >= slots else slots + slots // 4
    longer = np.zeros(capacity, np.bool_)
    longer[: len(dead)] = dead
    return longer


def _coded(view: View, coarse: Coarse | None) -> View:
    if coarse is None:
        return replace(view, coarse=None, without=None, tail=())
    gone = np.flatnonzero(view.dead[: min(coarse.end, view.index.slots)])
    fresh = replace(view, coarse=coarse, without=_without(coarse, gone, None), tail=())
    return replace(fresh, tail=_longer(fresh, coarse.end))


def _without(coarse: Coarse, gone: np.ndarray[tuple[int], np.dtype[np.int64]], known: Mask | None) -> Mask | None:
    places = coarse.places[gone[gone < coarse.end]]
    places = places[places >= 0]
    if not len(places):
        return known
    without = np.zeros(len(coarse.codes), np.bool_) if known is None else known.copy()
    without[places] = True
    return without


def _longer(view: View, start: int) -> tuple[Codes, ...]:
    coarse, tail = view.coarse, view.tail
    if coarse is None:
        return ()
    for begin in range(start, view.index.slots, _ENCODED):
        rows = view.rows[begin : min(view.index.slots, begin + _ENCODED)]
        tail = grown(tail, coarse.encoder.encode(rows["data"], rows["norm"]))
    return tail
