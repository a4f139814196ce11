"""How far a coarse index must look: measured on rows of its own, each asking for its neighbours exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Float32
from s3vectors_local.search.coarse import Coarse, Depth, Slots, Tuning, best
from s3vectors_local.search.codes import Asked, Codes, joined
from s3vectors_local.search.partition import Each

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
_TRIED: Final = 4  # numbers of lists in one go
_TOGETHER: Final = 8  # queries: codes are read once for all of them
_FAR: Final = np.iinfo(np.int64).max
# Microseconds on a common machine: what a list, a code of it, and a component that is compared exactly cost.
_LIST_COST: Final = 1.0
_CODE_COST: Final = 0.035
_COMPONENT_COST: Final = 0.0006


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


def tuned(coarse: Coarse, queries: Float32, truth: Slots, filtered: Filtered, *, each: Each = map) -> Coarse:
    """Return the index with the cheapest depths that reach the aims; `truth` are the nearest slots of each query."""
    codes = joined([coarse.encoder.code(query) for query in queries])
    whole = _scanned(coarse, codes, coarse.codes, coarse.places[truth], each)
    selected = coarse.codes.take(coarse.places[filtered.slots])
    under_filter = _scanned(coarse, codes, selected, np.searchsorted(filtered.slots, filtered.truth), each)
    trials = [*_worthwhile(coarse, codes, truth, each), whole]
    tuning = Tuning(
        _cheapest(coarse, trials, k=_FIRST, aim=_FIRST_AIM),
        _cheapest(coarse, trials, k=_DEEP, aim=_DEEP_AIM),
        max(
            (_cheapest(coarse, [trial], k=_FIRST, aim=_FIRST_AIM) for trial in (whole, under_filter)),
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
        whole = coarse.whole_scores(coarse.encoder.ask_whole(query), slots)
        known = nearest[:k][np.isin(nearest[:k], slots)]
        order = np.argsort(slots)
        ranks += _ranks(whole, order[np.searchsorted(slots, known, sorter=order)]).tolist()
    good = [kept for kept in _KEPT if kept >= k and np.mean(np.array(ranks) < kept) >= _KEPT_AIM]
    return good[0] if good else 0


def _worthwhile(coarse: Coarse, queries: Codes, truth: Slots, each: Each) -> Iterator[_Trial]:
    """Yield trials of more and more lists, until scanning them costs more than what is good enough already."""
    probes = [nprobe for nprobe in _PROBES if nprobe < len(coarse.centres)]
    enough = [float("inf"), float("inf")]
    for start in range(0, len(probes), _TRIED):
        group = [
            nprobe for nprobe in probes[start : start + _TRIED] if _cost(coarse, Depth(nprobe, 0, 0)) <= max(enough)
        ]
        if not group:
            return
        for trial in _trials(coarse, queries, truth, group, each):
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


def _trials(coarse: Coarse, queries: Codes, truth: Slots, probes: Sequence[int], each: Each) -> Iterator[_Trial]:
    ranks = np.array(list(each(lambda number: _trial(coarse, queries, truth, probes, number), range(len(queries)))))
    return (_Trial(nprobe, ranks[:, place]) for place, nprobe in enumerate(probes))


def _trial(coarse: Coarse, queries: Codes, truth: Slots, probes: Sequence[int], number: int) -> list[Slots]:
    """Return the ranks of the neighbours of one query, for each number of lists."""
    # The lists of the last of them hold those of the others: they are scanned once.
    asked = coarse.encoder.ask_code(queries[number : number + 1])
    scores, ends, places = _scan(coarse, asked, truth[number], nprobe=probes[-1])
    return [_ranks(scores[: ends[nprobe - 1]], np.where(places < ends[nprobe - 1], places, -1)) for nprobe in probes]


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


def _scanned(coarse: Coarse, queries: Codes, codes: Codes, places: npt.NDArray[np.integer[Any]], each: Each) -> _Trial:
    """Try a scan of codes; `places` has where the neighbours of each query lie among them."""

    def ranks(start: int) -> list[Slots]:
        group = slice(start, start + _TOGETHER)
        found = coarse.encoder.scored(codes, queries[group])
        return [_ranks(scores, nearest) for scores, nearest in zip(found, places[group], strict=True)]

    every = each(ranks, range(0, len(queries), _TOGETHER))
    return _Trial(len(coarse.centres), np.array([row for rows in every for row in rows]))


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
