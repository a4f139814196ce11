"""A comparison as one HTML file with its plots inside: nothing is loaded from anywhere."""

import math
from collections.abc import Callable, Sequence
from html import escape

import orjson

from nestor.compare import Comparison, Measured

_WIDTH, _HEIGHT, _EDGE = 460, 320, 46
_BESIDE, _BELOW = 20, 10
"""Units of a plot within which a number would be written over the next point: theirs are written together."""
_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1d1c1a, #ecebe8); --soft: light-dark(#5c5852, #a9adb3);
  --line: light-dark(#e2dfd9, #2e3238); --hot: light-dark(#ee9a62, #9a4a14); --chosen: light-dark(#fbe9dd, #3a2717);
  --direct: light-dark(#3566a8, #8ab4ee); --hierarchical: light-dark(#c2571a, #f0955a);
  --refetch: light-dark(#3f7d30, #8bc97b); --hybrid: light-dark(#7b4fa0, #c5a0e6);
  --manual: light-dark(#666666, #b0b0b0) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem;
  background: light-dark(#fbfaf8, #15171a); color: var(--ink) }
h1 { line-height: 1.2 } .wide { overflow-x: auto } svg { max-width: 100%; height: auto; color: var(--ink) }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; white-space: nowrap }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line) } th { color: var(--soft) }
th:nth-child(2), td:nth-child(2) { text-align: left } .chosen td { background: var(--chosen); font-weight: 600 }
figure { display: inline-block; max-width: 100%; margin: 1rem 0 } figcaption { font-weight: 600 }
svg text { font-size: 11px; fill: currentColor } .axis { fill: none; stroke: var(--soft) } .share { fill: var(--hot) }
.direct { --of: var(--direct) } .hierarchical { --of: var(--hierarchical) } .refetch { --of: var(--refetch) }
.hybrid { --of: var(--hybrid) } .manual { --of: var(--manual) } circle { fill: var(--of, currentColor) }
td[class]::before { content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .5em;
  border-radius: 50%; background: var(--of, currentColor) }
.small { font-size: 12px; color: var(--soft) }
@media (max-width: 40rem) { .plain { overflow-x: auto } .plain svg { max-width: none } }
"""
"""Light or dark as the system has it, in the colours of the pages."""


def html(comparison: Comparison) -> str:
    """Return the page."""
    c = comparison
    head = (
        f"<p>{c.rows:,} segments, {c.questions:,} questions, the {c.k} nearest each, against exhaustive search over "
        f"3,072 components{_filter(c)}. Prices: {c.segments:,.0f} segments and {c.queries:,.0f} questions a month.</p>"
    )
    advice = f"<p><strong>Use {escape(c.advice.label)}.</strong> {escape(c.advice.reason)}</p>"
    plots = _plot(c, "Recall and price", "US dollars a month", lambda each: each.month_usd) + _plot(
        c, "Recall and time", "p50, milliseconds", lambda each: each.p50_ms
    )
    source = f"Prices of {escape(c.prices.region)}, read on {c.prices.read_on}. {escape(c.prices.unverified)}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><title>Nestor: sizes and strategies compared'
        f"</title><style>{_STYLE}</style></head><body><main><h1>Sizes and strategies compared</h1>{head}{advice}"
        f'{_table(c)}{plots}{_heat_map(c)}<p class="small">{source}</p></main></body></html>\n'
    )


def _filter(comparison: Comparison) -> str:
    if comparison.where is None:
        return ""
    document = escape(orjson.dumps(comparison.where).decode())
    return f" of the {comparison.matching:,} segments that match <code>{document}</code>"


def _table(comparison: Comparison) -> str:
    heads = (
        "recall",
        "nDCG",
        "p50 ms",
        "p99 ms",
        "requests",
        "kB back",
        "GB read",
        "storage $",
        "queries $",
        "month $",
    )
    rows = "".join(
        f'<tr{_chosen(each, comparison)}><td class="{escape(each.strategy)}">{number}</td><td>{escape(each.label)}</td>'
        + "".join(f"<td>{value}</td>" for value in _cells(each))
        + "</tr>"
        for number, each in enumerate(comparison.measured, start=1)
    )
    titles = "".join(f"<th>{head}</th>" for head in heads)
    return f'<div class="wide" tabindex="0"><table><tr><th>no.</th><th>strategy</th>{titles}</tr>{rows}</table></div>'


def _chosen(each: Measured, comparison: Comparison) -> str:
    return ' class="chosen"' if each.label == comparison.advice.label else ""


def _cells(each: Measured) -> tuple[str, ...]:
    return (
        f"{each.recall:.4f}",
        f"{each.ndcg:.4f}",
        f"{each.p50_ms:.2f}",
        f"{each.p99_ms:.2f}",
        f"{each.requests:.2f}",
        f"{each.returned_bytes / 1e3:,.1f}",
        f"{each.processed_bytes / 1e9:,.3f}",
        f"{each.storage_usd:,.2f}",
        f"{each.query_usd:,.2f}",
        f"{each.month_usd:,.2f}",
    )


def _plot(comparison: Comparison, title: str, unit: str, value: Callable[[Measured], float]) -> str:
    """Return a scatter plot: the value on a logarithmic axis, recall upwards."""
    across = _Axis([math.log10(max(value(each), 1e-6)) for each in comparison.measured], start=_EDGE, end=_WIDTH - 60)
    upward = _Axis([each.recall for each in comparison.measured], start=_HEIGHT - _EDGE, end=12)
    places = [(across(math.log10(max(value(each), 1e-6))), upward(each.recall)) for each in comparison.measured]
    points = "".join(
        f'<circle class="{escape(each.strategy)}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(each.label)}: '
        f"{each.recall:.4f}, {value(each):,.3f}</title></circle>"
        for (x, y), each in zip(places, comparison.measured, strict=True)
    ) + "".join(
        f'<text x="{x + 7:.1f}" y="{y + 4:.1f}">{", ".join(map(str, numbers))}</text>'
        for (x, y), numbers in _together(places).items()
    )
    ticks = "".join(
        f'<text x="{across(at):.1f}" y="{_HEIGHT - _EDGE + 16}" text-anchor="middle">{10**at:,.3g}</text>'
        for at in across.ticks
    ) + "".join(
        f'<text x="{_EDGE - 6}" y="{upward(at) + 4:.1f}" text-anchor="end">{at:.3f}</text>' for at in upward.ticks
    )
    frame = f'<path class="axis" d="M{_EDGE} 12 V{_HEIGHT - _EDGE} H{_WIDTH - 12}"/>'
    below = f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(unit)}</text>'
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}; the figures are in the table">'
        f"{frame}{ticks}{points}{below}</svg></figure>"
    )


def _together(places: Sequence[tuple[float, float]]) -> dict[tuple[float, float], list[int]]:
    """Return the numbers of the places, from 1, by the rightmost of those that they would be written over."""
    groups: list[list[int]] = []
    for number in sorted(range(1, len(places) + 1), key=lambda number: places[number - 1]):
        x, y = places[number - 1]
        for group in groups:
            last_x, last_y = places[group[-1] - 1]
            if x - last_x < _BESIDE and abs(y - last_y) < _BELOW:
                group.append(number)
                break
        else:
            groups.append([number])
    return {places[group[-1] - 1]: sorted(group) for group in groups}


class _Axis:
    """Values to places between `start` and `end`."""

    def __init__(self, values: Sequence[float], *, start: float, end: float) -> None:
        low, high = min(values), max(values)
        room = (high - low or 1.0) * 0.08
        self._low, self._span = low - room, high - low + 2 * room
        self._start, self._length = start, end - start
        self.ticks = [low + (high - low) * part / 4 for part in range(5)] if high > low else [low]

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) / self._span * self._length


def _heat_map(comparison: Comparison) -> str:
    side, left = 34, 190
    labels = [f"{number} {each.label}" for number, each in enumerate(comparison.measured, start=1)]
    cells = "".join(
        f'<rect x="{left + column * side}" y="{20 + row * side}" width="{side - 1}" height="{side - 1}" '
        f'class="share" fill-opacity="{share:.2f}"><title>{escape(labels[row])} and {escape(labels[column])}: '
        f'{share:.3f}</title></rect><text x="{left + (column + 0.5) * side}" y="{20 + (row + 0.6) * side}" '
        f'text-anchor="middle">{share:.2f}</text>'
        for row, shares in enumerate(comparison.agreement)
        for column, share in enumerate(shares)
    )
    names = "".join(
        f'<text x="{left - 8}" y="{20 + (row + 0.6) * side}" text-anchor="end">{escape(label)}</text>'
        f'<text x="{left + (row + 0.5) * side}" y="14" text-anchor="middle">{row + 1}</text>'
        for row, label in enumerate(labels)
    )
    width, height = left + len(labels) * side, 24 + len(labels) * side
    return (
        "<figure><figcaption>Agreement: the share of hits that two have in common</figcaption>"
        '<div class="plain" tabindex="0">'
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="Agreement">'
        f"{names}{cells}</svg></div></figure>"
    )
