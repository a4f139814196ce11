"""All of a comparison, and what to use."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from nestor.codes import SIZES
from nestor.compare.measuring import Measured
from nestor.compare.truth import Truth
from nestor.domain import FULL_DIMENSION, Filter
from nestor.prices import Plan, Prices

TARGET = 0.99
"""Recall that is as good as exhaustive search."""


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
