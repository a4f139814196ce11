"""What a strategy at a size does with all questions: quality, time, requests, bytes and price."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import numpy as np

from nestor.codes import SIZES
from nestor.compare.truth import Sample, Truth
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Filter
from nestor.ports import Vectors
from nestor.prices import Plan, Prices
from nestor.prices.plan import one
from nestor.strategies import Asked, Direct, Hierarchical, Hybrid, Refetch, Strategy

_WARM_UP = 3


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


def _asked(contender: Contender, sample: Sample, k: int, where: Filter | None) -> Asked:
    more = 0 if sample.own_key is None else 1
    return Asked(
        embedding=sample.embedding, words=sample.words, dimension=contender.dimension, top_k=k + more, where=where
    )
