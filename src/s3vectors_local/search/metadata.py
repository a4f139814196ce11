"""The filterable metadata of one index, as far as filters asked for it; it grows with the slots."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

import numpy as np

from s3vectors_local import filters
from s3vectors_local.filters import Tree
from s3vectors_local.model import Index, Metadata
from s3vectors_local.search.coarse import Mask
from s3vectors_local.search.columns import Block, block, merged
from s3vectors_local.storage import codec, records
from s3vectors_local.storage.slab import Rows

_OPEN: Final = 1_024  # documents that are looked at one by one, at most
_PARSED: Final = 16_384  # documents that are parsed at a time
_SHARE: Final = 4  # to read one record in so many, or more, all are read in their order


@dataclass(frozen=True, slots=True)
class Filterable:
    """What the slots of a slab before `end` carry: in blocks, the last ones one by one."""

    slab: int = 0
    blocks: tuple[Block, ...] = ()
    open: tuple[Metadata, ...] = ()

    @property
    def end(self) -> int:
        """The slots that are covered."""
        return self._start() + len(self.open)

    def mask(self, tree: Tree, slots: int) -> Mask:
        """Return for each slot before `slots` whether a filter holds."""
        test = filters.predicate(tree)
        last = np.fromiter((test(document) for document in self.open), np.bool_, len(self.open))
        return np.concatenate([*(each.mask(tree) for each in self.blocks), last])[:slots]

    def extended(self, c: sqlite3.Connection, index: Index, rows: Rows) -> "Filterable":
        """Return it with all slots of the index."""
        if self.end >= index.slots:
            return self
        start = self._start()
        if (index.slots - self.end) * _SHARE > index.count:
            return self._with(_block(start, index.slots, _scanned(c, index, start)))
        new = map(codec.metadata, records.filterable(c, rows["record"][self.end : index.slots].tolist()))
        if index.slots - start < _OPEN:
            return Filterable(self.slab, self.blocks, (*self.open, *new))
        return self._with(_block(start, index.slots, enumerate(chain(self.open, new), start)))

    def _with(self, new: Block) -> "Filterable":
        blocks = [*self.blocks, new]
        while len(blocks) > 1 and _length(blocks[-2]) <= 2 * _length(blocks[-1]):
            last, before = blocks.pop(), blocks.pop()
            blocks.append(merged([before, last]))
        return Filterable(self.slab, tuple(blocks))

    def _start(self) -> int:
        return self.blocks[-1].end if self.blocks else 0


def _length(each: Block) -> int:
    return each.end - each.start


def _block(start: int, end: int, documents: Iterator[tuple[int, Metadata]]) -> Block:
    """Return the block of some slots; their documents are never in memory all at once."""
    parts = iter(lambda: list(islice(documents, _PARSED)), [])
    return merged([block(start, end, ()), *(block(start, end, part) for part in parts)])


def _scanned(c: sqlite3.Connection, index: Index, start: int) -> Iterator[tuple[int, Metadata]]:
    for slot, text in records.all_filterable(c, index):
        if slot >= start:
            yield slot, codec.metadata(text)
