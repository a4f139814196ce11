"""How far a coarse index must look: measured on rows of its own, each asking for its neighbours exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Float32, Metric
from s3vectors_local.search.coarse import Coarse, Depth, Slots, Tuning, best
from s3vectors_local.search.codes import Asked

TARGET: Final = 0.99
"""The recall@10 that is promised. Aimed at is a little more, since queries are not rows."""
QUERIES: Final = 256
_FIRST, _DEEP = 10, 100
_FIRST_AIM: Final = 0.998
_DEEP_AIM: Final = 0.97
_PROBES: Final = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_CANDIDATES: Final = (30, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1_100, 1_600, 2_200, 3_200, 4_500, 6_400)
_KEPT: Final = (15, 20, 30, 40, 60, 80, 120, 160, 240, 400, 800)
_KEPT_AIM: Final = 0.9995  # of the neighbours among the candidates
_SCANNED: Final = 6  # probes that are tried in one go
_FAR: Final = np.iinfo(np.int64).max
# Microseconds on a common machine: what a list, a code of it, and a component that is compared exactly cost.
_LIST_COST: Final = 1.0
_CODE_COST: Final = 0.035
_COMPONENT_COST: Final = 0.0006


class Exact:
    """Finds the nearest other rows of some rows, while all rows pass by once."""

    def __init__(self, queries: Float32, own: Slots, *, metric: Metric) -> None:
        """Ask with rows, shape (n, d), that lie in slots of their own."""
        self._queries = queries
        self._own = own
        self._metric = metric
        self._distances = np.empty((len(queries), 0), np.float32)
        self._slots = np.empty((len(queries), 0), np.int64)

    def add(self, rows: Float32, norms: npt.NDArray[np.float64], slots: Slots) -> None:
        """Look at some rows."""
        found = self._all_distances(rows, norms)
        found[self._own[:, None] == slots] = np.inf
        distances = np.concatenate([self._distances, found], axis=1)
        known = np.concatenate([self._slots, np.broadcast_to(slots, found.shape)], axis=1)
        if distances.shape[1] > _DEEP:
            places = np.argpartition(distances, _DEEP - 1, axis=1)[:, :_DEEP]
            distances, known = np.take_along_axis(distances, places, 1), np.take_along_axis(known, places, 1)
        self._distances, self._slots = distances, known

    def nearest(self) -> Slots:
        """Return the 100 nearest slots of each query, nearest first."""
        order = np.argsort(self._distances, axis=1, kind="stable")
        return np.take_along_axis(self._slots, order, 1)

    def _all_distances(self, rows: Float32, norms: npt.NDArray[np.float64]) -> Float32:
        # By one product of matrices: the order of near equals is of no interest here.
        products = self._queries @ rows.T
        if self._metric is Metric.COSINE:
            return np.negative(products / norms.astype(np.float32))
        return (norms**2).astype(np.float32) - 2 * products


@dataclass(frozen=True, slots=True)
class _Trial:
    nprobe: int
    ranks: npt.NDArray[np.int64]
    """Where each true neighbour stands among the scanned codes; beyond all of them if it is not there."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """Slots that a filter might select, and the nearest of them for each query.

    Neighbours under a filter are farther away, where codes tell them apart less well.
    """

    slots: Slots
    truth: Slots


def tuned(coarse: Coarse, queries: Float32, truth: Slots, filtered: Filtered) -> Coarse:
    """Return the index with the cheapest depths that reach the aims; `truth` are the nearest slots of each query."""
    whole = _whole_trial(coarse, queries, truth)
    trials = [*_worthwhile(coarse, queries, truth), whole]
    tuning = Tuning(
        _cheapest(coarse, trials, k=_FIRST, aim=_FIRST_AIM),
        _cheapest(coarse, trials, k=_DEEP, aim=_DEEP_AIM),
        max(
            _cheapest(coarse, [whole], k=_FIRST, aim=_FIRST_AIM),
            _cheapest(coarse, [_filtered_trial(coarse, queries, filtered)], k=_FIRST, aim=_FIRST_AIM),
            key=lambda depth: depth.candidates,
        ),
    )
    tuned_ = replace(coarse, tuning=tuning)
    return replace(tuned_, tuning=replace(tuning, kept=_kept(tuned_, queries, truth)))


def _kept(coarse: Coarse, queries: Float32, truth: Slots) -> tuple[int, int]:
    """Return how many candidates codes of all components must leave, 0 and 0 where they would lose too many."""
    if coarse.whole is None:
        return 0, 0
    first = _least_kept(coarse, queries, truth, coarse.tuning.first, _FIRST)
    deep = _least_kept(coarse, queries, truth, coarse.tuning.deep, _DEEP)
    return (first, deep) if first and deep else (0, 0)


def _least_kept(coarse: Coarse, queries: Float32, truth: Slots, depth: Depth, k: int) -> int:
    ranks: list[int] = []
    for query, nearest in zip(queries, truth, strict=True):
        slots, scores = coarse.probed(coarse.encoder.ask(query), nprobe=depth.nprobe, without=None)
        slots = slots[best(scores, min(depth.candidates, _CANDIDATES[-1]))]
        whole = coarse.whole_scores(coarse.encoder.ask_whole(query), slots, take=_taken)
        known = nearest[:k][np.isin(nearest[:k], slots)]
        order = np.argsort(slots)
        ranks += _ranks(whole, order[np.searchsorted(slots, known, sorter=order)]).tolist()
    good = [kept for kept in _KEPT if kept >= k and np.mean(np.array(ranks) < kept) >= _KEPT_AIM]
    return good[0] if good else 0


def _taken(values: npt.NDArray[Any], slots: Slots) -> npt.NDArray[Any]:
    return values.take(slots, axis=0)


def _worthwhile(coarse: Coarse, queries: Float32, truth: Slots) -> Iterator[_Trial]:
    """Yield trials of more and more lists, until scanning them costs more than what is good enough already."""
    probes = [nprobe for nprobe in _PROBES if nprobe < len(coarse.centres)]
    enough = [float("inf"), float("inf")]
    for trial in _trials(coarse, queries, truth, probes):
        if all(_cost(coarse, Depth(trial.nprobe, 0, 0)) > least for least in enough):
            return
        yield trial
        for place, (k, aim) in enumerate(((_FIRST, _FIRST_AIM), (_DEEP, _DEEP_AIM))):
            depth = _cheapest(coarse, [trial], k=k, aim=aim)
            if depth.recall < 1 or depth.candidates < len(coarse.codes):
                enough[place] = min(enough[place], _cost(coarse, depth))


def _cost(coarse: Coarse, depth: Depth) -> float:
    """Return about how many microseconds a query takes."""
    lists, codes = len(coarse.centres), len(coarse.codes)
    # All lists are scanned in one go.
    spans = depth.nprobe if depth.nprobe < lists else 1
    scan = spans * _LIST_COST + codes * depth.nprobe / lists * _CODE_COST
    return scan + _COMPONENT_COST * coarse.encoder.dimension * depth.candidates


def _trials(coarse: Coarse, queries: Float32, truth: Slots, probes: Sequence[int]) -> Iterator[_Trial]:
    asked = [coarse.encoder.ask(query) for query in queries]
    for group in (probes[start : start + _SCANNED] for start in range(0, len(probes), _SCANNED)):
        ranks = np.empty((len(group), *truth.shape), np.int64)
        for number, query in enumerate(asked):
            # The lists of the last of them hold those of the others: they are scanned once.
            scores, ends, places = _scan(coarse, query, truth[number], nprobe=group[-1])
            for row, nprobe in zip(ranks, group, strict=True):
                end = ends[nprobe - 1]
                row[number] = _ranks(scores[:end], np.where(places < end, places, -1))
        yield from (_Trial(nprobe, row) for nprobe, row in zip(group, ranks, strict=True))


def _scan(coarse: Coarse, query: Asked, truth: Slots, *, nprobe: int) -> tuple[Float32, Slots, Slots]:
    """Return the scores in the nearest lists, nearest first, where each list ends, and where the neighbours are.

    A neighbour that is in none of these lists is at the end.
    """
    lists = coarse.nearest_lists(query, nprobe)
    starts, sizes = coarse.starts[lists], coarse.starts[lists + 1] - coarse.starts[lists]
    ends = np.cumsum(sizes)
    spans = list(zip(starts.tolist(), (starts + sizes).tolist(), strict=True))
    scores = coarse.codes.scores_in(query, spans, np.concatenate([np.arange(*span) for span in spans]))
    shifts = np.full(len(coarse.centres), len(coarse.codes))
    shifts[lists] = ends - sizes - starts
    places = coarse.places[truth].astype(np.int64)
    return scores, ends, np.minimum(places + shifts[np.searchsorted(coarse.starts, places, side="right") - 1], ends[-1])


def _whole_trial(coarse: Coarse, queries: Float32, truth: Slots) -> _Trial:
    scores = (coarse.codes.scores(coarse.encoder.ask(query)) for query in queries)
    ranks = [_ranks(found, coarse.places[nearest]) for found, nearest in zip(scores, truth, strict=True)]
    return _Trial(len(coarse.centres), np.array(ranks))


def _filtered_trial(coarse: Coarse, queries: Float32, filtered: Filtered) -> _Trial:
    scores = (coarse.selected(coarse.encoder.ask(query), filtered.slots) for query in queries)
    places = np.searchsorted(filtered.slots, filtered.truth)
    ranks = [_ranks(found, places_) for found, places_ in zip(scores, places, strict=True)]
    return _Trial(len(coarse.centres), np.array(ranks))


def _ranks(scores: Float32, places: Slots) -> npt.NDArray[np.int64]:
    """Return how many scores are better than each of those at some places; _FAR for a place of -1."""
    if not len(scores):
        return np.full(len(places), _FAR)
    better = len(scores) - np.searchsorted(np.sort(scores), scores[places], side="right")
    return np.where(places < 0, _FAR, better)


def _cheapest(coarse: Coarse, trials: Sequence[_Trial], *, k: int, aim: float) -> Depth:
    found = [
        Depth(trial.nprobe, count, float((trial.ranks[:, :k] < count).mean()))
        for trial in trials
        for count in _CANDIDATES
        if count >= k
    ]
    good = [depth for depth in found if depth.recall >= aim]
    # Where codes do not reach the aim, every row is compared.
    return (
        min(good, key=lambda depth: _cost(coarse, depth))
        if good
        else Depth(len(coarse.centres), len(coarse.codes), 1.0)
    )
