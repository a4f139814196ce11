"""One question at the four sizes side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from nestor.answer import Asked
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Hit
from nestor.errors import InvalidInput
from nestor.prices import Plan, prices
from nestor.prices.plan import one
from nestor.strategies import Direct, Hierarchical, Refetch
from nestor.strategies.base import COARSE
from nestor.web import comparing, reports
from nestor.web.context import Context, context
from nestor.web.limits import QUESTION_CHARACTERS
from nestor.web.pages.rendering import is_fragment, render
from nestor.web.pages.searching import is_empty
from nestor.web.pages.wishes import STRATEGIES

router = APIRouter()

SHOWN = 10
"""Hits of each size."""
PLANNED = 1_000_000
"""Segments, and questions, that the price is told for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one size has a hit."""

    rank: int
    """From 1."""
    hit: Hit


@dataclass(frozen=True, slots=True)
class Line:
    """One segment in all sizes."""

    hit: Hit
    places: tuple[Place | None, ...]
    """One a size; None where that size does not show it."""


@dataclass(frozen=True, slots=True)
class Block:
    """One strategy at all sizes."""

    strategy: str
    entries: tuple[comparing.Entry, ...]
    lines: tuple[Line, ...]
    prices: tuple[float | None, ...]
    """Dollars for a million questions; None where there is no such price."""


@router.get("/compare")
async def compare(
    request: Request,
    q: Annotated[str, Query(max_length=QUESTION_CHARACTERS)] = "",
    strategy: Annotated[list[str] | None, Query(max_length=len(STRATEGIES))] = None,
) -> Response:
    """Show the question at four sizes, by each of the strategies."""
    here = context(request)
    chosen = tuple(dict.fromkeys(strategy or [Direct.name]))
    if unknown := [name for name in chosen if name not in STRATEGIES]:
        raise InvalidInput(f"There is no strategy {unknown[0][:80]!r} to compare: {', '.join(STRATEGIES)}.")
    blocks = await here.run(_blocks, here, q, chosen) if q.strip() else []
    values: dict[str, Any] = {"words": q, "chosen": chosen, "strategies": STRATEGIES, "blocks": blocks}
    values["reports"] = [] if is_fragment(request) else await here.run(reports.listed, here.options.reports)
    return render(request, "compare.html", values | {"sizes": DIMENSIONS, "planned": PLANNED})


def aligned(entries: Sequence[comparing.Entry]) -> tuple[Line, ...]:
    """Return a line for each segment that any size shows: in the order of the last size, then of those before it."""
    order: dict[str, Hit] = {}
    for entry in reversed(entries):
        for hit in entry.found.hits:
            order.setdefault(hit.key, hit)
    ranks = [{hit.key: Place(at, hit) for at, hit in enumerate(entry.found.hits, start=1)} for entry in entries]
    return tuple(Line(hit, tuple(each.get(key) for each in ranks)) for key, hit in order.items())


def price(strategy: str, dimension: int) -> float | None:
    """Return the dollars for a million questions to a million segments, None where there is no such price."""
    coarse = COARSE[0] if strategy in {Hierarchical.name, Refetch.name} else None
    plan = Plan(segments=PLANNED, queries=PLANNED, top_k=SHOWN)
    try:
        return one(plan, prices(), strategy=strategy, dimension=dimension, coarse=coarse).query_usd
    except StopIteration:
        return None


def _blocks(here: Context, words: str, strategies: Sequence[str]) -> list[Block]:
    if is_empty(here):
        return []
    question = here.nestor.search.words(words)
    wish = Asked(query=words, dimension=FULL_DIMENSION, top_k=SHOWN)
    found = comparing.compare(here.nestor, wish, question, dimensions=DIMENSIONS, strategies=strategies)
    blocks = []
    for name in strategies:
        entries = tuple(entry for entry in found.entries if entry.found.strategy == name)
        told = tuple(price(name, entry.found.dimension) for entry in entries)
        blocks.append(Block(name, entries, aligned(entries), told))
    return blocks
