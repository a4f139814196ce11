"""The coarse index of the rows that an index had at one time: codes in lists of near rows. It never changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Float32
from s3vectors_local.search.codes import Asked, Codes, Encoder
from s3vectors_local.search.cold import announce, gather, is_cold

Slots = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Room = Callable[[tuple[int, int], Any], npt.NDArray[np.int8]]
Longer = Callable[[npt.NDArray[np.int8], int], npt.NDArray[np.int8]]
_MOVED: Final = 4_096  # rows at a time
_FIRST: Final = 10
_DEEP: Final = 100
_UNDER_FILTER: Final = (
    4  # times as many lists as for all rows: depths beyond ten results were measured for a recall of 0.97
)
_SCANNED_WHOLE: Final = 4  # a filter that selects one row in so many, or more, is cheaper by a scan of all codes


@dataclass(frozen=True, slots=True)
class Depth:
    """How far to look: `nprobe` lists, and the best `candidates` codes to compare exactly; and what that found."""

    nprobe: int
    candidates: int
    recall: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was measured on a sample: the depth for 10 results, for 100, and for 10 under a filter."""

    first: Depth
    deep: Depth
    scanned: Depth
    kept: tuple[int, int] = (0, 0)
    """How many candidates codes of all components leave for the exact comparison, for 10 results and for 100."""

    def kept_for(self, k: int) -> int:
        """Return how many candidates are left for k results."""
        first, deep = self.kept
        if k <= _FIRST:
            return first
        return ceil(first + (deep - first) * (k - _FIRST) / (_DEEP - _FIRST)) if k <= _DEEP else ceil(deep * k / _DEEP)

    def depth(self, k: int, *, lists: int) -> Depth:
        """Return how far to look for k results: between what was measured, or beyond it in proportion."""
        if k <= _FIRST:
            return self.first
        if k > _DEEP:
            factor = k / _DEEP
            return Depth(min(lists, ceil(self.deep.nprobe * factor)), ceil(self.deep.candidates * factor), 0)
        share = (k - _FIRST) / (_DEEP - _FIRST)
        nprobe = self.first.nprobe + (self.deep.nprobe - self.first.nprobe) * share
        candidates = self.first.candidates + (self.deep.candidates - self.first.candidates) * share
        return Depth(ceil(nprobe), ceil(candidates), 0)

    def scan_depth(self, k: int) -> int:
        """Return how many candidates k results need when every code that is selected was scanned."""
        return ceil(self.scanned.candidates * max(1.0, k / _FIRST))


_UNTUNED: Final = Tuning(Depth(1, 1, 0), Depth(1, 1, 0), Depth(1, 1, 0))


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of a coarse index: the slots it covers, its lists, and what was measured."""

    end: int
    lists: int
    tuning: Tuning
    reached: float


@dataclass(frozen=True, slots=True)
class Coarse:
    """Codes of the rows in the slots before `end` that were alive, list after list.

    `starts` has where each list begins, and the end; `slots` the slot of each code; `places` the code of each slot,
    -1 for none.
    """

    generation: int
    slab: int
    end: int
    encoder: Encoder
    centres: Codes
    starts: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    codes: Codes
    tuning: Tuning = _UNTUNED
    whole: Codes | None = None
    """Codes of all components, of the slots before `end`: they choose which few candidates are compared exactly."""
    built: int = 0
    """Lists and depths were made from the slots before this one; what came later was put into the lists."""
    rows: int = 0
    """How many rows they were made from."""
    reached: float = 1.0
    """Which share of the nearest rows the lists reach, of what they were made from and of what came later."""

    @property
    def later(self) -> int:
        """How many of the codes are of rows that came after lists and depths were made."""
        return int((self.slots >= self.built).sum())

    def summary(self) -> Summary:
        """Return what is told of it."""
        return Summary(self.end, len(self.centres), self.tuning, self.reached)

    def probed(self, query: Asked, *, nprobe: int, without: Mask | None) -> tuple[Slots, npt.NDArray[np.float32]]:
        """Return the slots in the nearest lists, and their scores. `without` is true for codes to leave out."""
        spans = self._spans(query, nprobe)
        self._announce_if_cold(self.codes, spans, self.slots)
        places = np.concatenate([np.arange(start, end) for start, end in spans])
        scores = self.codes.scores_in(query, spans, places)
        if without is not None:
            kept = ~without[places]
            places, scores = places[kept], scores[kept]
        return self.slots[places].astype(np.int64), scores

    def near(self, query: Asked, k: int) -> Slots:
        """Return the slots in the lists that hold the nearest k of all."""
        lists = len(self.centres)
        spans = self._spans(query, self.tuning.depth(k, lists=lists).nprobe)
        return np.concatenate([self.slots[start:end] for start, end in spans])

    def nprobe_under(self, k: int, share: float) -> int:
        """Return how many lists to look into for k results where this share of the rows, everywhere, is wanted."""
        lists = len(self.centres)
        return min(lists, _UNDER_FILTER * self.tuning.depth(ceil(k / share), lists=lists).nprobe)

    def selected(self, query: Asked, slots: Slots) -> npt.NDArray[np.float32]:
        """Return the scores of slots that have a code: all of them alive, all before `end`."""
        places = gather(self.places, slots)
        if len(slots) * _SCANNED_WHOLE > len(self.codes):
            self._announce_if_cold(self.codes, [(0, len(self.codes))])
            scores: npt.NDArray[np.float32] = self.codes.scores(query)[places]
            return scores
        return self.codes.scores_at(query, places)

    def closest(self, query: Float32, slots: Slots, *, k: int) -> Slots:
        """Return the few of some slots that are worth an exact comparison."""
        kept = self.tuning.kept_for(k)
        if self.whole is None or not kept:
            return slots
        # What came since has no codes of all components yet: it is compared exactly.
        covered = slots < len(self.whole)
        old, new = slots[covered], slots[~covered]
        if len(old) > kept:
            old = old[best(self.whole_scores(self.encoder.ask_whole(query), old), kept)]
        return np.concatenate([old, new])

    def whole_scores(self, query: Asked, slots: Slots) -> Float32:
        """Return the scores of slots by codes of all components, which there must be."""
        if self.whole is None:
            raise AssertionError("built without codes of all components")
        return self.whole.scores_at(query, slots)

    def moved(self, to: Slots, *, slab: int, slots: int, generation: int, room: Room = np.zeros) -> "Coarse":
        """Return it after a compaction: `to` has the new slot of each slot, -1 for one that is gone.

        `room` gives the array, of int8, that codes of all components are written to.
        """
        new = to[self.slots]
        kept = new >= 0
        places = np.full(slots, -1, np.int32)
        places[new[kept]] = np.arange(int(kept.sum()), dtype=np.int32)
        before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return replace(
            self,
            slab=slab,
            generation=generation,
            end=int((to[: self.end] >= 0).sum()),
            built=int((to[: self.built] >= 0).sum()),
            starts=before[self.starts],
            slots=new[kept].astype(np.int32),
            places=places,
            codes=self.codes.take(np.flatnonzero(kept)),
            whole=None if self.whole is None else _moved(self.whole, np.flatnonzero(to[: len(self.whole)] >= 0), room),
        )

    def nearest_lists(self, query: Asked, nprobe: int) -> Slots:
        """Return the numbers of the nearest lists, nearest first."""
        order: Slots = np.argsort(-self._nearness(query), kind="stable")[:nprobe]
        return order

    def _nearness(self, query: Asked) -> Float32:
        self._announce_if_cold(self.centres, [(0, len(self.centres))], self.starts)
        # By the distance to the centres, as rows were given to lists: also where rows are ranked by their product.
        return self.centres.scores(replace(query, penalised=True))

    @staticmethod
    def _announce_if_cold(codes: Codes, spans: Sequence[tuple[int, int]], *beside: npt.NDArray[Any]) -> None:
        if is_cold(codes.values, (spans[0][0], spans[-1][1] - 1)):
            parts: list[npt.NDArray[Any]] = [codes.values, codes.scales, codes.penalties, *beside]
            for part in parts:
                announce(part, spans)

    def _spans(self, query: Asked, nprobe: int) -> list[tuple[int, int]]:
        lists = len(self.centres)
        if nprobe >= lists:
            return [(0, len(self.codes))]
        nearness = self._nearness(query)
        chosen: Any = np.argpartition(nearness, lists - nprobe)[lists - nprobe :]
        return list(zip(self.starts[chosen].tolist(), self.starts[chosen + 1].tolist(), strict=True))


def _moved(whole: Codes, kept: Slots, room: Room) -> Codes:
    """Return the codes of the slots that are kept, which lie in the same order as before."""
    values = room((len(kept), whole.values.shape[1]), np.int8)
    for start in range(0, len(kept), _MOVED):
        part = kept[start : start + _MOVED]
        values[start : start + len(part)] = whole.values.take(part, axis=0)
    return Codes(values, whole.scales.take(kept), whole.penalties.take(kept))


def best(scores: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    """Return the places of the highest scores, in any order."""
    if count >= len(scores):
        return np.arange(len(scores))
    return np.argpartition(scores, len(scores) - count)[len(scores) - count :]
