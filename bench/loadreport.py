"""What a load did, an interval at a time, and whether it was borne."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

GROWTH = 0.05
"""Of the server's own memory from the end of the first sixth of the time to the end: more is a fault."""
_COLUMNS = (
    *("at s", "queries/s", "p50 ms", "p99 ms", "recall@10"),
    *("vectors/s", "put p50 ms", "put p99 ms", "errors", "own MiB", "total MiB"),
)
HEAD = "  ".join(f"{name:>10}" for name in _COLUMNS)


@dataclass(slots=True)
class Spell:
    """What one process did in one interval."""

    kind: str
    interval: int
    milliseconds: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    vectors: int = 0
    failures: int = 0
    errors: list[str] = field(default_factory=list)
    """What the first of the failures were."""


def interval(number: int, spells: Sequence[Spell], seconds: float, held: Mapping[str, float]) -> dict[str, Any]:
    """Return the figures of one interval."""
    reads = [each for spell in spells if spell.kind == "read" for each in spell.milliseconds]
    writes = [each for spell in spells if spell.kind == "write" for each in spell.milliseconds]
    recalls = [each for spell in spells for each in spell.recalls]
    return {
        "at": (number + 1) * seconds,
        "queries_per_second": len(reads) / seconds,
        **_quantiles("", reads),
        "recall": float(np.mean(recalls)) if recalls else None,
        "vectors_per_second": sum(spell.vectors for spell in spells) / seconds,
        **_quantiles("put_", writes),
        "failures": sum(spell.failures for spell in spells),
        "errors": [error for spell in spells for error in spell.errors],
        "anonymous": held["anonymous"],
        "total": held["total"],
    }


def line(done: Mapping[str, Any]) -> str:
    """Return an interval for the terminal."""
    return "  ".join(f"{cell:>10}" for cell in _cells(done))


def verdict(
    intervals: Sequence[Mapping[str, Any]], memory: Sequence[Mapping[str, float]], seconds: float
) -> dict[str, Any]:
    """Return the growth of the server's own memory, and the faults: an empty list when the load was borne."""
    growth = grown(memory, seconds)
    failures = sum(each["failures"] for each in intervals)
    errors = [error for each in intervals for error in each["errors"]]
    faults = [f"{failures} errors, the first: {errors[0]}"] if failures else []
    if growth > GROWTH:
        faults.append(f"the server's own memory grew by {growth:.1%} after the first sixth of the time")
    if not any(each["queries_per_second"] or each["vectors_per_second"] for each in intervals):
        faults.append("nothing was answered")
    return {"growth": growth, "faults": faults}


def grown(memory: Sequence[Mapping[str, float]], seconds: float) -> float:
    """Return the growth from the end of the first sixth to the end, by the median slope of all pairs (Theil and Sen).

    Builds and compactions make the memory swing, and the two ends of a run may stand anywhere in a swing.
    """
    later = [each for each in memory if each["at"] >= seconds / 6]
    at, held = np.array([[each["at"], each["anonymous"]] for each in later]).reshape(-1, 2).T
    first, second = np.triu_indices(len(at), 1)
    apart = at[second] - at[first] >= seconds / 12
    if not apart.any():
        return 0.0
    slope = np.median((held[second] - held[first])[apart] / (at[second] - at[first])[apart])
    return float(slope * (at[-1] - at[0]) / np.median(held))


def summary(outcome: Mapping[str, Any]) -> str:
    """Return the whole run in a few lines."""
    done = outcome["intervals"]
    asked = outcome["asked"]
    steady = done[len(done) // 6 :]
    told = (
        f"{asked['readers']} readers, {asked['writes_per_second']:g} vectors/s asked for, {asked['seconds']:g} s: "
        f"{_mean(steady, 'queries_per_second'):,.0f} queries/s, p50 {_mean(steady, 'p50'):.2f} ms, "
        f"p99 {_mean(steady, 'p99'):.2f} ms (means of the intervals after the first sixth; "
        f"the worst p99 was {max(each['p99'] or 0.0 for each in steady):.2f}), "
        f"recall@10 {_mean(steady, 'recall'):.4f}, {_mean(steady, 'vectors_per_second'):,.0f} vectors/s written; "
        f"own memory {done[-1]['anonymous']:,.0f} MiB, grown by {outcome['growth']:+.1%}."
    )
    return "\n".join([told, *(f"FAULT: {fault}" for fault in outcome["faults"])])


def tables(outcome: Mapping[str, Any]) -> str:
    """Return the summary and the intervals for the page."""
    from bench.report import table

    return summary(outcome) + "\n\n" + table(_COLUMNS, [_cells(each) for each in outcome["intervals"]])


def _cells(done: Mapping[str, Any]) -> list[str]:
    figures = [f"{done['at']:,.0f}", f"{done['queries_per_second']:,.0f}", _ms(done["p50"]), _ms(done["p99"])]
    figures += ["-" if done["recall"] is None else f"{done['recall']:.4f}", f"{done['vectors_per_second']:,.0f}"]
    figures += [_ms(done["put_p50"]), _ms(done["put_p99"]), f"{done['failures']:,}"]
    return [*figures, f"{done['anonymous']:,.0f}", f"{done['total']:,.0f}"]


def _quantiles(prefix: str, milliseconds: Sequence[float]) -> dict[str, float | None]:
    p50, p99 = np.percentile(milliseconds, (50, 99)) if milliseconds else (None, None)
    return {f"{prefix}p50": p50 and float(p50), f"{prefix}p99": p99 and float(p99)}


def _mean(done: Sequence[Mapping[str, Any]], name: str) -> float:
    values = [each[name] for each in done if each[name] is not None]
    return float(np.mean(values)) if values else 0.0


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
