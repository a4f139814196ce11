"""Strategies priced for so many segments and queries a month, and where one becomes cheaper than another; pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from nestor.codes import SIZES
from nestor.domain import DIMENSIONS, FULL_DIMENSION
from nestor.metadata import HIT_BYTES
from nestor.prices.formula import Index, Query, load_usd, query_usd, storage_usd
from nestor.prices.table import Prices

JSON_BYTES = 21
"""Of a component in the placeholder's documents, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is planned for a month."""

    segments: float
    queries: float
    top_k: int = 10
    candidates: int = 100
    filterable_bytes: float = 400.0
    """Of a segment: key and the metadata that one filters by."""
    text_bytes: float = 1_000.0
    """Of a segment: the excerpt and the address."""

    @property
    def looked_at(self) -> int:
        """Candidates that a funnel gets: no more than there are segments."""
        return int(min(max(self.candidates, self.top_k), self.segments))

    def index(self, dimension: int, *, coded: bool = False) -> Index:
        """Return the index of that size; a coded row takes its 5,000 bytes whole."""
        carried = HIT_BYTES - self.filterable_bytes if coded else self.text_bytes
        return Index(
            vectors=self.segments,
            dimension=dimension,
            filterable_bytes=self.filterable_bytes,
            carried_bytes=carried,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One way to search, priced. Dollars a month, the load once."""

    strategy: str
    dimension: int
    """Of the similarities in the answer."""
    coarse: int | None
    """Where candidates come from."""
    indexes: tuple[int, ...]
    """What it needs to be stored; more may be."""
    segments: float
    storage_usd: float
    load_usd: float
    query_usd: float
    """Of all queries."""

    @property
    def monthly_usd(self) -> float:
        """Storage and queries."""
        return self.storage_usd + self.query_usd


def priced(plan: Plan, prices: Prices) -> list[Priced]:
    """Return every strategy, cheapest queries first within its kind."""
    return [*_direct(plan, prices), *_hierarchical(plan, prices), *_refetch(plan, prices), _manual(plan, prices)]


def one(plan: Plan, prices: Prices, *, strategy: str, dimension: int, coarse: int | None = None) -> Priced:
    """Return that one. Raises StopIteration for one that is not priced."""
    wanted = (strategy, dimension, coarse)
    return next(each for each in priced(plan, prices) if (each.strategy, each.dimension, each.coarse) == wanted)


def _direct(plan: Plan, prices: Prices) -> Iterator[Priced]:
    query = Query(hits=plan.top_k)
    for strategy, dimensions in (("direct", DIMENSIONS), ("hybrid", (FULL_DIMENSION,))):
        for dimension in dimensions:
            index = plan.index(dimension)
            yield _sum(plan, prices, strategy, dimension, coarse=None, indexes=(index,), query=query)


def _hierarchical(plan: Plan, prices: Prices) -> Iterator[Priced]:
    for coarse in SIZES:
        index = plan.index(coarse, coded=True)
        query = Query(hits=plan.looked_at)
        yield _sum(plan, prices, "hierarchical", FULL_DIMENSION, coarse=coarse, indexes=(index,), query=query)


def _refetch(plan: Plan, prices: Prices) -> Iterator[Priced]:
    query = Query(hits=plan.looked_at, fetches=-(-plan.looked_at // 100))
    for coarse in SIZES:
        indexes = (plan.index(coarse), plan.index(FULL_DIMENSION))
        yield _sum(plan, prices, "refetch", FULL_DIMENSION, coarse=coarse, indexes=indexes, query=query)


def _sum(
    plan: Plan,
    prices: Prices,
    strategy: str,
    dimension: int,
    *,
    coarse: int | None,
    indexes: tuple[Index, ...],
    query: Query,
) -> Priced:
    return Priced(
        strategy=strategy,
        dimension=dimension,
        coarse=coarse,
        indexes=tuple(index.dimension for index in indexes),
        segments=plan.segments,
        storage_usd=sum(storage_usd(index, prices) for index in indexes),
        load_usd=sum(load_usd(index, prices) for index in indexes),
        query_usd=plan.queries * query_usd(indexes[0], query, prices),
    )


def _manual(plan: Plan, prices: Prices) -> Priced:
    bytes_ = plan.segments * (FULL_DIMENSION * JSON_BYTES + plan.text_bytes)
    objects = prices.objects
    return Priced(
        strategy="manual",
        dimension=FULL_DIMENSION,
        coarse=None,
        indexes=(),
        segments=plan.segments,
        storage_usd=bytes_ / prices.gb * objects.storage_usd_per_gb_month,
        load_usd=plan.segments * objects.put_usd_per_1000 / 1e3,
        query_usd=plan.queries * plan.segments * objects.get_usd_per_1000 / 1e3,
    )


def everything(plan: Plan, prices: Prices) -> tuple[float, float]:
    """Return storage a month and load of what `nestor ingest` keeps: four indexes, codes in the small ones."""
    indexes = [plan.index(dimension, coded=dimension in SIZES) for dimension in DIMENSIONS]
    return sum(storage_usd(each, prices) for each in indexes), sum(load_usd(each, prices) for each in indexes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Between how many segments one way is cheaper than another."""

    cheaper: str
    than: str
    what: str
    """queries, or month (storage and queries)."""
    segments: int | None
    """None where it never is, up to two billion; 1 where it is from the first one on."""
    until: int | None = None
    """None where it stays so."""


def break_evens(plan: Plan, prices: Prices) -> list[BreakEven]:
    """Return where the funnels are cheaper than asking one index, for the plan's queries."""
    measures: dict[str, Callable[[Priced], float]] = {
        "queries": lambda each: each.query_usd,
        "month": lambda each: each.monthly_usd,
    }
    return [
        _break_even(plan, prices, (way, FULL_DIMENSION, 256), ("direct", dimension, None), what, measure)
        for way in ("refetch", "hierarchical")
        for dimension in (FULL_DIMENSION, 1024)
        for what, measure in measures.items()
    ]


_Way = tuple[str, int, int | None]
_MOST = 2_000_000_000
"""Vectors in one index."""


def _break_even(
    plan: Plan, prices: Prices, first: _Way, second: _Way, what: str, measure: Callable[[Priced], float]
) -> BreakEven:
    def saves(segments: int) -> bool:
        at = replace(plan, segments=segments)
        cost, other = (measure(one(at, prices, strategy=s, dimension=d, coarse=c)) for s, d, c in (first, second))
        return cost < other

    points = list(_changes(saves, prices))
    start = next((point for point, better in points if better), None)
    until = next((point for point, better in points if start is not None and point > start and not better), None)
    return BreakEven(cheaper=_named(*first), than=_named(*second), what=what, segments=start, until=until)


def _changes(saves: Callable[[int], bool], prices: Prices) -> Iterator[tuple[int, bool]]:
    """Yield where the answer begins and changes. Between two tiers both prices are straight lines, which cross once."""
    tiers = [int(end) for end, _ in prices.processed_usd_per_tb if end < _MOST]
    low, last = 1, saves(1)
    yield low, last
    for end in (*tiers, _MOST):
        if (now := saves(end)) != last:
            above = end
            while above - low > 1:
                middle = (low + above) // 2
                low, above = (middle, above) if saves(middle) == last else (low, middle)
            yield above, now
        low, last = end, now


def _named(strategy: str, dimension: int, coarse: int | None) -> str:
    return f"{strategy} {f'{coarse}→' if coarse else ''}{dimension}"
