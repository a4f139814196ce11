"""What the engine may cost at 100,000 and 1,000,000 rows of 3,072 on two cores, beside what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Found = Mapping[str, Mapping[str, Any]]
"""The contenders of a run by name."""


@dataclass(frozen=True, slots=True)
class Line:
    """A bound for each of the two sizes; `most` tells whether it is the most or the least."""

    what: str
    bounds: tuple[float, float]
    read: Callable[[Found], float]
    most: bool = True


def _point(name: str, figure: str) -> Callable[[Found], float]:
    return lambda found: float(found[name]["points"][0]["k10"][figure])


def _filter(name: str) -> Callable[[Found], float]:
    return lambda found: float(found["engine"]["filters"][name]["k10"]["p50"])


def _rate(name: str) -> Callable[[Found], float]:
    return lambda found: float(found[name]["built"]["rows"] / found[name]["built"]["put_seconds"])


LINES = (
    Line("recall@10 in process", (0.99, 0.99), _point("engine", "recall"), most=False),
    Line("query in process, p50 ms", (0.5, 2), _point("engine", "p50")),
    Line("query in process, p99 ms", (1, 5), _point("engine", "p99")),
    Line("under a filter of 1 %, p50 ms", (0.7, 3), _filter("hundredth")),
    Line("under a filter of 10 %, p50 ms", (1.5, 15), _filter("tenth")),
    Line(
        "queries/s in process, 2 threads", (3000, 1000), lambda f: float(f["engine"]["queries_per_second"]), most=False
    ),
    Line("query by raw HTTP, p50 ms", (1, 3), _point("engine, raw HTTP", "p50")),
    Line("query by Nestor's client, p50 ms", (2, 4), _point("engine, Nestor client", "p50")),
    Line("durable puts/s in process", (10_000, 10_000), _rate("engine"), most=False),
    Line("durable puts/s by raw HTTP", (4000, 4000), _rate("engine, raw HTTP"), most=False),
    Line("durable puts/s by Nestor's client", (3000, 3000), _rate("engine, Nestor client"), most=False),
    Line("index build after the last put, s", (10, 60), lambda f: float(f["engine"]["built"]["index_seconds"])),
    Line("own memory, MiB", (150, 500), lambda f: float(f["engine"]["anonymous"])),
    Line("reopen to first answer, s", (0.5, 2), lambda f: float(f["engine"]["reopen_seconds"])),
    Line("cold query, p50 ms", (10, 20), lambda f: float(f["engine"]["cold"]["p50"])),
)
_SIZES = (100_000, 1_000_000)


def table(outcome: Mapping[str, Any]) -> str:
    """Return the budget of a run's size, empty where there is none."""
    about = outcome["set"]
    if about["rows"] not in _SIZES or about["dimension"] != 3072:
        return ""
    from bench.report import table as drawn

    found = {each["name"]: each for each in outcome["contenders"]}
    return drawn(
        ["budget", "bound", "measured", ""], [_row(line, _SIZES.index(about["rows"]), found) for line in LINES]
    )


def _row(line: Line, place: int, found: Found) -> list[str]:
    bound = line.bounds[place]
    try:
        value = line.read(found)
    except (KeyError, IndexError):
        return [line.what, f"{bound:,g}", "-", "not measured"]
    held = value <= bound if line.most else value >= bound
    return [line.what, f"{bound:,g}", f"{value:,.3g}" if value < 100 else f"{value:,.0f}", "" if held else "missed"]
