"""Indexes and codes added or dropped, from what is stored: nothing is embedded again.

Order: an index is filled before the manifests name it, and no manifest names an index that is dropped. Until both are
done its tag says that it is filled in part, and it is neither searched nor written by others. A run that was
interrupted is completed by the same run again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np

from nestor import codes
from nestor.domain import DIMENSIONS, FULL_DIMENSION, PARTLY
from nestor.errors import InvalidInput
from nestor.nesting import nest
from nestor.ports import Manifests, VectorRow, VectorRows, Vectors
from nestor.storing import with_codes as coded_rows

_BATCH = 500


class Store(Vectors, VectorRows, Protocol):
    """Searched, written, and read whole."""

    def note(self, dimension: int, *, embedder: str) -> None:
        """Note at the index that this embedder filled it, whatever was noted before. Raises VectorsError."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """One batch of rows, written into one index."""

    dimension: int
    rows: int


class Reindex:
    """Works on one bucket, and on the manifests that name its indexes."""

    def __init__(self, *, store: Store, manifests: Manifests) -> None:
        """Work through these ports."""
        self._store = store
        self._manifests = manifests

    def indexes(self) -> tuple[int, ...]:
        """Return the sizes that have an index, one that is filled in part left out."""
        return tuple(size for size in DIMENSIONS if self._is_whole(size))

    def _is_whole(self, size: int) -> bool:
        embedder = self._store.embedder(size)
        return embedder is not None and not embedder.startswith(PARTLY)

    def check(self, *, add: Sequence[int] = (), drop: Sequence[int] = (), with_codes: bool | None = None) -> None:
        """Raise InvalidInput for what cannot be done; nothing is changed."""
        if not (add or drop or with_codes is not None):
            raise InvalidInput("Say what to do: --add, --drop, --codes or --no-codes.")
        for size in (*add, *drop):
            if size not in DIMENSIONS:
                raise InvalidInput(f"There is no index of {size} components: choose of {DIMENSIONS}.")
        if both := set(add) & set(drop):
            raise InvalidInput(f"{sorted(both)} cannot be added and dropped at once.")
        if FULL_DIMENSION in drop:
            raise InvalidInput(
                f"The index of {FULL_DIMENSION} components cannot be dropped: everything else is made from it."
            )
        if FULL_DIMENSION not in self.indexes():
            raise InvalidInput(f"There is no index of {FULL_DIMENSION} components to work from: ingest first.")

    def run(
        self, *, add: Sequence[int] = (), drop: Sequence[int] = (), with_codes: bool | None = None
    ) -> Iterator[Done]:
        """Yield each batch as it is written; None leaves the codes as they are, but for a new index: that has them.

        Raises as `check` does, EmbedderMismatch, VectorsError.
        """
        self.check(add=add, drop=drop, with_codes=with_codes)
        embedder = self._store.embedder(FULL_DIMENSION)
        if not embedder:
            raise InvalidInput(f"Nobody noted which embedder filled the index of {FULL_DIMENSION} components.")
        new = [size for size in add if size not in self.indexes()]
        for size in new:
            self._empty(size)
        self._store.prepare(new, embedder=PARTLY + embedder)
        self._store.prepare([size for size in add if size not in new], embedder=embedder)
        coded = {size: True for size in add if size in codes.SIZES and with_codes is not False}
        if with_codes is not None:
            coded |= {size: with_codes for size in self.indexes() if size in codes.SIZES and size not in drop}
        wanted = dict.fromkeys((*add, *coded))
        if wanted:
            for batch in self._batches():
                for size in wanted:
                    self._store.put(size, self._rows(batch, size, coded=coded.get(size, False)))
                    yield Done(size, len(batch))
        for size in set(drop) & set(self.indexes()):
            self._store.note(size, embedder=PARTLY + embedder)
        self._name([size for size in DIMENSIONS if size in {*self.indexes(), *new}])
        for size in new:
            self._store.note(size, embedder=embedder)
        for size in drop:
            self._store.drop(size)

    def _empty(self, size: int) -> None:
        """Remove what an interrupted run left: its rows may have been deleted, or made of other content, since then."""
        if self._store.embedder(size) is not None:
            self._store.delete(size, list(self._store.keys(size)))

    def _batches(self) -> Iterator[list[VectorRow]]:
        rows = self._store.rows(FULL_DIMENSION)
        while batch := list(islice(rows, _BATCH)):
            yield batch

    def _rows(self, batch: Sequence[VectorRow], dimension: int, *, coded: bool) -> list[VectorRow]:
        full = np.stack([row.embedding for row in batch])
        made = nest(full, [dimension])[dimension]
        # What is stored stays as it is, to the last bit.
        stored, _ = self._store.fetch(dimension, [row.key for row in batch])
        rows = [replace(row, embedding=stored.get(row.key, prefix)) for row, prefix in zip(batch, made, strict=True)]
        return coded_rows(rows, full) if coded else rows

    def _name(self, sizes: Sequence[int]) -> None:
        """Let every manifest name these indexes."""
        wanted = tuple(sizes)
        if changed := [replace(each, dimensions=wanted) for each in self._manifests.all() if each.dimensions != wanted]:
            self._manifests.put(changed)
