"""An index as a query sees it: its rows at one generation, which of them are alive, and the codes of those there are.

A view never changes. The next one shares with it what did not change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s3vectors_local import limits
from s3vectors_local.distance import distances
from s3vectors_local.model import Float32, Index
from s3vectors_local.search.coarse import Coarse, Mask, Slots, best
from s3vectors_local.search.codes import COPIED_BYTES, Asked, Codes, joined
from s3vectors_local.search.cold import announce, fetch, is_cold
from s3vectors_local.storage.slab import Rows

_WORTH: Final = 4  # codes pay where at most one row in so many is compared after them
_SPREAD: Final = 3  # a code of a list costs so much less than one that is picked out

Found = list[tuple[int, float]]
"""Record ids and distances, nearest first; of equal distances the vector first written comes first."""


@dataclass(frozen=True, slots=True)
class View:
    """The rows in the slots before `index.slots`."""

    index: Index
    rows: Rows
    dead: Mask
    """True for slots that are no vector any more; at least as long as there are slots."""
    coarse: Coarse | None = None
    without: Mask | None = None
    """True for codes of dead slots; None while there are none."""
    tail: tuple[Codes, ...] = ()
    """Codes of the slots from the end of the coarse index on."""

    def alive(self) -> Slots:
        """Return the slots that are vectors."""
        return np.flatnonzero(~self.dead[: self.index.slots])

    def nearest(self, query: Float32, *, k: int, selected: Mask | None) -> Found:
        """Return the k nearest rows, of all or of those whose slots are selected."""
        matching = None if selected is None else selected & ~self.dead[: self.index.slots]
        candidates = None if self.coarse is None else self._candidates(self.coarse, query, k, matching)
        if candidates is None:
            return self._exact(query, k) if matching is None else self._among(np.flatnonzero(matching), query, k)
        return self._among(candidates, query, k)

    def _candidates(self, coarse: Coarse, query: Float32, k: int, matching: Mask | None) -> Slots | None:
        """Return slots among which the nearest are, as good as certainly; None where all would have to be compared."""
        depth = coarse.tuning.depth(k, lists=len(coarse.centres))
        count = depth.candidates if matching is None else coarse.tuning.scan_depth(k)
        total = self.index.count if matching is None else int(np.count_nonzero(matching))
        if min(count, coarse.tuning.kept_for(k) or count) * _WORTH > total:
            return None
        asked = coarse.encoder.ask(query)
        if matching is None:
            slots, scores = self._probed(coarse, asked, depth.nprobe, count)
        else:
            slots, scores = self._selected(coarse, asked, k, matching, total=total, wanted=count)
        later, later_scores = self._tail(coarse.end, asked, matching)
        slots, scores = np.concatenate([slots, later]), np.concatenate([scores, later_scores])
        return coarse.closest(query, slots[best(scores, count)], k=k)

    def _selected(
        self, coarse: Coarse, asked: Asked, k: int, matching: Mask, *, total: int, wanted: int
    ) -> tuple[Slots, Float32]:
        """Look at the matching rows of near lists where these tell of the nearest, and at all that match otherwise.

        Where one row in n matches, wherever it lies, the nearest k of these are about the nearest k * n of all. A
        filter that leaves out what is near the query makes others the nearest, which may lie anywhere.
        """
        share = total / self.index.count
        nprobe = coarse.nprobe_under(k, share)
        if nprobe * len(coarse.codes) * _SPREAD < total * len(coarse.centres):
            near = matching[coarse.near(asked, k)]
            slots, scores = coarse.probed(asked, nprobe=nprobe, without=None)
            found = matching[slots]
            if np.count_nonzero(near) >= len(near) * share / 2 and np.count_nonzero(found) >= wanted:
                return slots[found], scores[found]
        slots = np.flatnonzero(matching[: coarse.end])
        return slots, coarse.selected(asked, slots)

    def _probed(self, coarse: Coarse, asked: Asked, nprobe: int, wanted: int) -> tuple[Slots, Float32]:
        """Look into the nearest lists; into more of them where these hold fewer rows than are wanted."""
        slots, scores = coarse.probed(asked, nprobe=nprobe, without=self.without)
        while len(slots) < wanted and nprobe < len(coarse.centres):
            nprobe *= 2
            slots, scores = coarse.probed(asked, nprobe=nprobe, without=self.without)
        return slots, scores

    def _tail(self, start: int, asked: Asked, matching: Mask | None) -> tuple[Slots, Float32]:
        scores = [codes.scores(asked) for codes in self.tail]
        if not scores:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        every = np.concatenate(scores)
        places = np.flatnonzero(~self.dead[start : self.index.slots] if matching is None else matching[start:])
        return places + start, every[places]

    def _among(self, slots: Slots, query: Float32, k: int) -> Found:
        """Compare some rows exactly."""
        fetch(self.rows, slots)
        step = max(1, COPIED_BYTES // self.rows.dtype.itemsize)
        parts = (slots[start : start + step] for start in range(0, len(slots), step))
        return self._top(((part, self.rows.take(part)) for part in parts), query, k)

    def _exact(self, query: Float32, k: int) -> Found:
        """Compare every row, where it lies."""
        end, step = self.index.slots, max(1, limits.STREAM_BYTES // self.rows.dtype.itemsize)
        spans = [(start, min(end, start + step)) for start in range(0, end, step)]
        return self._top(((np.arange(start, stop), self._span(start, stop)) for start, stop in spans), query, k)

    def _span(self, start: int, stop: int) -> Rows:
        if is_cold(self.rows, (start, stop - 1)):
            announce(self.rows, [(start, stop)])
        return self.rows[start:stop]

    def _top(self, parts: Iterator[tuple[Slots, Rows]], query: Float32, k: int) -> Found:
        slots, found = np.empty(0, np.int64), np.empty(0, np.float32)
        for part, rows in parts:
            near = distances(rows["data"], rows["norm"], query, metric=self.index.metric)
            alive = ~self.dead[part]
            slots, found = np.concatenate([slots, part[alive]]), np.concatenate([found, near[alive]])
            if k < len(found):
                kept = found <= np.partition(found, k - 1)[k - 1]
                slots, found = slots[kept], found[kept]
        records: npt.NDArray[Any] = self.rows["record"][slots]
        order = np.lexsort((records, found))[:k]
        return list(zip(records[order].tolist(), found[order].tolist(), strict=True))


def grown(tail: tuple[Codes, ...], new: Codes) -> tuple[Codes, ...]:
    """Return the tail with new codes at its end, in few pieces: each more than twice as long as the next."""
    pieces = [*tail, new]
    while len(pieces) > 1 and len(pieces[-2]) <= 2 * len(pieces[-1]):
        last, before = pieces.pop(), pieces.pop()
        pieces.append(joined([before, last]))
    return tuple(pieces)
