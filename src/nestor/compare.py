"""Every size and strategy on the user's own data: quality against exhaustive search, time, bytes and price."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import fmean
from typing import Protocol

import numpy as np
import orjson

from nestor.codes import SIZES
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding, Filter, Metadata
from nestor.errors import InvalidInput
from nestor.ports import VectorRow, VectorRows, Vectors
from nestor.prices import Plan, Prices
from nestor.prices.plan import one
from nestor.strategies import Asked, Direct, Hierarchical, Hybrid, Refetch, Strategy
from nestor.strategies.matching import predicate

TARGET = 0.99
"""Recall that is as good as exhaustive search."""
TIE = 2e-6
"""Similarities this close are equal: float32 sums in another order differ by as much."""
_TIED = 50
"""Rows kept beyond the first k, for ties at its end."""
_BLOCK = 1024
_WARM_UP = 3
_CARRIED = frozenset({"source_uri", "text", "code"})
"""Non-filterable in every index."""


class Store(Vectors, VectorRows, Protocol):
    """Searched and read whole."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question to compare by."""

    embedding: Embedding
    words: str | None = None
    own_key: str | None = None
    """Of the segment that asks, which is no answer to itself."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The exhaustive answers, and what the rows are like."""

    answers: tuple[Mapping[str, float], ...]
    """For each question the gain of its keys: k for the nearest, 1 for the k-th and what is as near."""
    rows: int
    filterable_bytes: float
    """Mean of key and filterable metadata."""
    text_bytes: float
    """Mean of the other metadata."""
    where: Filter | None = None
    """What every answer matches, None where anything may be one."""
    matching: int = 0
    """Rows that match it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A strategy at a size."""

    strategy: Strategy
    dimension: int = FULL_DIMENSION
    coarse: int | None = None
    candidates: int = 0

    @property
    def label(self) -> str:
        """What tables call it, such as `hierarchical 256→3072, 100`."""
        if self.coarse is None:
            return f"{self.strategy.name} {self.dimension}"
        return f"{self.strategy.name} {self.coarse}→{self.dimension}, {self.candidates}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a contender did with all questions; means of one question where nothing else is said."""

    label: str
    strategy: str
    dimension: int
    coarse: int | None
    candidates: int
    recall: float
    ndcg: float
    p50_ms: float
    p99_ms: float
    requests: float
    returned_bytes: float
    processed_bytes: float
    """That the service reads for a question over the planned segments."""
    fallbacks: float
    storage_usd: float
    query_usd: float
    month_usd: float
    found: tuple[frozenset[str], ...] = field(repr=False)
    """Keys by question."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to use, and why."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All of it."""

    k: int
    questions: int
    rows: int
    where: Filter | None
    """What every hit had to match, None where anything may be one."""
    matching: int
    """Rows that match it; all of them without a filter."""
    segments: float
    """Planned for."""
    queries: float
    """Planned in a month."""
    measured: tuple[Measured, ...]
    agreement: tuple[tuple[float, ...], ...]
    """Mean overlap of what two contenders found, in the order of `measured`."""
    advice: Advice
    prices: Prices


def contenders(vectors: Vectors, *, words: bool, sizes: Sequence[int] = DIMENSIONS) -> list[Contender]:
    """Return what can be compared where the indexes of these sizes exist; hybrid where questions have words."""
    found = [Contender(strategy=Direct(vectors), dimension=size) for size in sizes]
    full = FULL_DIMENSION in sizes
    for coarse, candidates in ((256, 100), (256, 200), (384, 100), (384, 200), (384, 400)):
        if coarse in sizes and full:
            way = Hierarchical(vectors, coarse=coarse, candidates=candidates)
            found.append(Contender(strategy=way, coarse=coarse, candidates=candidates))
    if SIZES[0] in sizes and full:
        found.append(Contender(strategy=Refetch(vectors), coarse=SIZES[0], candidates=100))
    if words and full:
        found.append(Contender(strategy=Hybrid(vectors)))
    return found


def sampled(store: Store, count: int, *, seed: int = 0) -> list[Sample]:
    """Return some of the stored segments as questions. Raises InvalidInput where there are too few."""
    keys = sorted(store.keys(FULL_DIMENSION))
    if len(keys) < 2:
        raise InvalidInput("There is nothing to compare: ingest some files first.")
    chosen = random.Random(seed).sample(keys, min(count, len(keys)))  # noqa: S311 - a fair choice, no secret
    embeddings, _ = store.fetch(FULL_DIMENSION, chosen)
    return [Sample(embeddings[key], own_key=key) for key in chosen if key in embeddings]


def exhaustive(rows: Iterable[VectorRow], samples: Sequence[Sample], *, k: int, where: Filter | None = None) -> Truth:
    """Return the k nearest of all rows to each question, by comparing every row of full size with it.

    With a filter only rows that match it are answers. Raises InvalidInput when no row does, or there are none.
    """
    matches = predicate(where)
    matching = 0
    best = [_Best(k + _TIED) for _ in samples]
    asked = np.stack([sample.embedding for sample in samples])
    count = filterable = text = 0
    for block in _blocks(rows):
        if answers := [row for row in block if matches(row.metadata)]:
            table = np.stack([row.embedding for row in answers])
            similarity = asked @ (table / np.linalg.norm(table, axis=1, keepdims=True)).T
            keys = [row.key for row in answers]
            for sample, kept, values in zip(samples, best, similarity, strict=True):
                kept.add(keys, values, without=sample.own_key)
        matching += len(answers)
        count += len(block)
        for row in block:
            carried = {name: value for name, value in row.metadata.items() if name in _CARRIED}
            text += _size(carried)
            filterable += len(row.key) + _size({n: v for n, v in row.metadata.items() if n not in _CARRIED})
    if not count:
        raise InvalidInput(f"The index of {FULL_DIMENSION} components is empty: ingest some files first.")
    if not matching:
        raise InvalidInput(f"None of the {count:,} segments matches the filter: there is nothing to compare.")
    answers_by_question = tuple(kept.gains(k) for kept in best)
    return Truth(answers_by_question, count, filterable / count, text / count, where, matching)


def measure(
    contender: Contender, samples: Sequence[Sample], truth: Truth, *, k: int, plan: Plan, prices: Prices
) -> Measured:
    """Ask every question under the truth's filter; return what came of it, priced with this data's own sizes.

    Raises VectorsError when the store fails.
    """
    questions = [_asked(contender, sample, k, truth.where) for sample in samples]
    for question in questions[:_WARM_UP]:
        contender.strategy.search(question)
    seconds, rankings = [], []
    for question in questions:
        started = time.perf_counter()
        rankings.append(contender.strategy.search(question))
        seconds.append(time.perf_counter() - started)
    found = [
        [hit.key for hit in ranking.hits if hit.key != sample.own_key][:k]
        for ranking, sample in zip(rankings, samples, strict=True)
    ]
    own = replace(
        plan,
        candidates=contender.candidates or plan.candidates,
        filterable_bytes=truth.filterable_bytes,
        text_bytes=truth.text_bytes,
    )
    name, coarse = contender.strategy.name, contender.coarse
    cost = one(own, prices, strategy=name, dimension=contender.dimension, coarse=coarse)
    return Measured(
        label=contender.label,
        strategy=name,
        dimension=contender.dimension,
        coarse=coarse,
        candidates=contender.candidates,
        recall=fmean(recall(keys, gains, k) for keys, gains in zip(found, truth.answers, strict=True)),
        ndcg=fmean(ndcg(keys, gains, k) for keys, gains in zip(found, truth.answers, strict=True)),
        p50_ms=float(np.percentile(seconds, 50)) * 1000,
        p99_ms=float(np.percentile(seconds, 99)) * 1000,
        requests=fmean(ranking.spent.requests for ranking in rankings),
        returned_bytes=fmean(ranking.spent.returned_bytes for ranking in rankings),
        processed_bytes=plan.segments * own.index(coarse or contender.dimension).processed_bytes,
        fallbacks=fmean(ranking.fallbacks for ranking in rankings),
        storage_usd=cost.storage_usd,
        query_usd=cost.query_usd,
        month_usd=cost.monthly_usd,
        found=tuple(frozenset(keys) for keys in found),
    )


def conclude(
    measured: Sequence[Measured], truth: Truth, *, k: int, plan: Plan, prices: Prices, target: float = TARGET
) -> Comparison:
    """Return the whole comparison with its advice."""
    return Comparison(
        k=k,
        questions=len(truth.answers),
        rows=truth.rows,
        where=truth.where,
        matching=truth.matching,
        segments=plan.segments,
        queries=plan.queries,
        measured=tuple(measured),
        agreement=tuple(tuple(_overlap(one.found, other.found) for other in measured) for one in measured),
        advice=advice(measured, k=k, target=target),
        prices=prices,
    )


def advice(measured: Sequence[Measured], *, k: int, target: float = TARGET) -> Advice:
    """Return the cheapest that reaches the target recall, or the best that there is, with the reason in words."""
    good = [each for each in measured if each.recall >= target]
    if good:
        chosen = min(good, key=lambda each: (each.month_usd, each.p50_ms))
        why = f"It is the cheapest that finds {target:.0%} of the {k} nearest"
    else:
        chosen = max(measured, key=lambda each: (each.recall, -each.month_usd))
        why = f"Nothing here finds {target:.0%} of the {k} nearest; it finds the most"
    reason = f"{why}: {chosen.recall:.1%}, for ${chosen.month_usd:,.2f} a month{_beside(chosen, measured)}."
    return Advice(chosen.label, f"{reason}{_candidates(measured, target)}")


def recall(keys: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Return the share of the right answers that were found; one that is as near as the last counts as it."""
    wanted = min(k, len(gains))
    return min(1.0, sum(key in gains for key in keys) / wanted) if wanted else 1.0


def ndcg(keys: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Return how good the order is, 0 to 1: gains by exact rank, each place discounted by its logarithm."""
    ideal = _discounted(sorted(gains.values(), reverse=True)[:k])
    return min(1.0, _discounted([gains.get(key, 0.0) for key in keys]) / ideal) if ideal else 1.0


def _discounted(gains: Sequence[float]) -> float:
    return sum(float(gain / np.log2(place + 2)) for place, gain in enumerate(gains))


def _beside(chosen: Measured, measured: Sequence[Measured]) -> str:
    full = next((each for each in measured if (each.strategy, each.dimension) == ("direct", FULL_DIMENSION)), None)
    if full is None or full is chosen:
        return ""
    return f" where direct {FULL_DIMENSION} takes ${full.month_usd:,.2f}"


def _candidates(measured: Sequence[Measured], target: float) -> str:
    """Say where the candidates of the smallest size do not suffice, and what does."""
    funnels = [each for each in measured if each.strategy == "hierarchical"]
    small = [each for each in funnels if each.coarse == SIZES[0]]
    if not small or max(each.recall for each in small) >= target:
        return ""
    told = ", ".join(f"{each.recall:.1%} with {each.candidates}" for each in small)
    enough = [each for each in funnels if each.recall >= target]
    if enough:
        first = min(enough, key=lambda each: each.month_usd)
        other = f"{first.candidates} candidates by {first.coarse} do ({first.recall:.1%})"
    else:
        most = max(funnels, key=lambda each: each.recall)
        other = (
            f"take candidates by {SIZES[1]} components and more than {most.candidates} of them "
            f"(these give {most.recall:.1%}), or a direct search"
        )
    return f" Candidates by {SIZES[0]} components do not suffice on this data: {told}; {other}."


def _overlap(some: Sequence[frozenset[str]], others: Sequence[frozenset[str]]) -> float:
    return fmean(len(a & b) / max(len(a), len(b), 1) for a, b in zip(some, others, strict=True))


def _asked(contender: Contender, sample: Sample, k: int, where: Filter | None) -> Asked:
    more = 0 if sample.own_key is None else 1
    return Asked(
        embedding=sample.embedding, words=sample.words, dimension=contender.dimension, top_k=k + more, where=where
    )


def _size(metadata: Metadata) -> int:
    return len(orjson.dumps(metadata)) if metadata else 0


def _blocks(rows: Iterable[VectorRow]) -> Iterator[list[VectorRow]]:
    iterator = iter(rows)
    while block := list(islice(iterator, _BLOCK)):
        yield block


class _Best:
    """The best so far for one question."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: list[tuple[float, str]] = []

    def add(self, keys: Sequence[str], similarity: Embedding, *, without: str | None) -> None:
        worst = self._found[-1][0] if len(self._found) == self._most else -2.0
        new = [
            (float(similarity[at]), keys[at])
            for at in np.flatnonzero(similarity > worst).tolist()
            if keys[at] != without
        ]
        self._found = sorted(self._found + new, key=lambda entry: (-entry[0], entry[1]))[: self._most]

    def gains(self, k: int) -> dict[str, float]:
        gains = {key: float(k - rank) for rank, (_, key) in enumerate(self._found[:k])}
        last = self._found[:k][-1][0] if self._found else 0.0
        return gains | {key: 1.0 for similarity, key in self._found[k:] if similarity >= last - TIE}
