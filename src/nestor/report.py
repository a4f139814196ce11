"""A comparison as one HTML file with its plots inside: nothing is loaded from anywhere."""

import math
from collections.abc import Callable, Sequence
from html import escape

import orjson

from nestor.compare import Comparison, Measured

_WIDTH, _HEIGHT, _EDGE = 460, 320, 46
_COLOURS = {
    "direct": "#3566a8",
    "hierarchical": "#c2571a",
    "refetch": "#4b8b3b",
    "hybrid": "#7b4fa0",
    "manual": "#666666",
}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
.wide { overflow-x: auto } svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-size: 13px } th, td { padding: .25rem .6rem; text-align: right }
th:first-child, td:first-child { text-align: left } tr:nth-child(even) { background: #f4f4f4 }
figure { display: inline-block; margin: 1rem 0 } figcaption { font-weight: 600 } svg text { font-size: 11px }
.chosen { outline: 2px solid #c2571a } .small { font-size: 12px; color: #555 }
"""


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
        f"<tr{_chosen(each, comparison)}><td>{escape(each.label)}</td>"
        + "".join(f"<td>{value}</td>" for value in _cells(each))
        + "</tr>"
        for each in comparison.measured
    )
    titles = "".join(f"<th>{head}</th>" for head in heads)
    return f'<div class="wide" tabindex="0"><table><tr><th>strategy</th>{titles}</tr>{rows}</table></div>'


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
    across = _Axis([math.log10(max(value(each), 1e-6)) for each in comparison.measured], start=_EDGE, end=_WIDTH - 12)
    upward = _Axis([each.recall for each in comparison.measured], start=_HEIGHT - _EDGE, end=12)
    points = "".join(
        f'<circle cx="{across(math.log10(max(value(each), 1e-6))):.1f}" cy="{upward(each.recall):.1f}" r="5" '
        f'fill="{_COLOURS.get(each.strategy, "#000")}"><title>{escape(each.label)}: {each.recall:.4f}, '
        f"{value(each):,.3f}</title></circle>"
        f'<text x="{across(math.log10(max(value(each), 1e-6))) + 7:.1f}" y="{upward(each.recall) + 4:.1f}">'
        f"{number}</text>"
        for number, each in enumerate(comparison.measured, start=1)
    )
    ticks = "".join(
        f'<text x="{across(at):.1f}" y="{_HEIGHT - _EDGE + 16}" text-anchor="middle">{10**at:,.3g}</text>'
        for at in across.ticks
    ) + "".join(
        f'<text x="{_EDGE - 6}" y="{upward(at) + 4:.1f}" text-anchor="end">{at:.3f}</text>' for at in upward.ticks
    )
    frame = f'<path d="M{_EDGE} 12 V{_HEIGHT - _EDGE} H{_WIDTH - 12}" fill="none" stroke="#888"/>'
    below = f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(unit)}</text>'
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}; the figures are in the table">'
        f"{frame}{ticks}{points}{below}</svg></figure>"
    )


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
        f'fill="hsl(24 80% {95 - 50 * share:.0f}%)"><title>{escape(labels[row])} and {escape(labels[column])}: '
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
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="Agreement">'
        f"{names}{cells}</svg>"
        "</figure>"
    )
