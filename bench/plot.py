"""Recall against latency, drawn as SVG by hand: no library needed, and a small file that differs line by line."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

WIDTH, HEIGHT = 860, 480
LEFT, TOP, RIGHT, BOTTOM = 70, 46, 640, 420
"""The frame of the plot; the names stand to its right."""
_FLOOR = 5e-4
"""What is missed of the recall, at least: 1.0 has to lie somewhere on a scale of what is missed."""
_RECALLS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_COLOURS = (
    *("#d7263d", "#f46036", "#c77800", "#8c1c4f"),
    *("#555555", "#1b6ca8", "#2e9bda", "#2e933c", "#6a4c93", "#138a8a", "#8d6e63"),
)
_SHAPES = ("circle", "square", "diamond")

Spot = tuple[float, float]
"""Recall and milliseconds."""


def drawing(outcome: Mapping[str, Any]) -> str:
    """Return the plot of a run."""
    shown = [each for each in outcome["contenders"] if each["points"]]
    about = outcome["set"]
    scale = _Scale([spot for each in shown for spot in _spots(each)])
    title = (
        f"{about['rows']:,} rows of {about['dimension']:,}: recall@10 against median latency (upper right is better)"
    )
    lines = ["\n".join(_line(place, each, scale)) for place, each in enumerate(shown)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12"',
        ' font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
        *scale.grid(),
        *reversed(lines),  # the first ones, this engine's, lie on top
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _spots(each: Mapping[str, Any]) -> list[Spot]:
    return [(point["k10"]["recall"], point["k10"]["p50"]) for point in each["points"]]


class _Scale:
    """Where recalls and milliseconds lie: both logarithmic, the recall by what is missed, fast at the top."""

    def __init__(self, spots: Sequence[Spot]) -> None:
        lowest = min((recall for recall, _ in spots), default=0.9)
        self._worst = max((recall for recall in _RECALLS if recall < lowest), default=0.0)
        times = [log10(milliseconds) for _, milliseconds in spots] or [0.0]
        self._fast = floor(min(times) * 3) / 3
        self._slow = max(ceil(max(times) * 3) / 3, self._fast + 1)

    def x(self, recall: float) -> float:
        """Return the distance from the left."""
        share = (_missed(self._worst) - _missed(recall)) / (_missed(self._worst) - log10(_FLOOR))
        return round(LEFT + 14 + share * (RIGHT - LEFT - 28), 1)

    def y(self, milliseconds: float) -> float:
        """Return the distance from the top."""
        share = (log10(milliseconds) - self._fast) / (self._slow - self._fast)
        return round(TOP + share * (BOTTOM - TOP), 1)

    def grid(self) -> Iterator[str]:
        """Yield lines, ticks and the names of the axes."""
        yield f'<rect x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}" fill="none" stroke="#888"/>'
        for recall in (*(each for each in _RECALLS if each >= self._worst), 1.0):
            x = self.x(recall)
            yield f'<path d="M{x} {TOP}V{BOTTOM}" stroke="#ddd"/>'
            yield f'<text x="{x}" y="{BOTTOM + 17}" text-anchor="middle">{recall:g}</text>'
        for tick in self._ticks():
            y = self.y(tick)
            yield f'<path d="M{LEFT} {y}H{RIGHT}" stroke="#ddd"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
        middle = (LEFT + RIGHT) / 2
        yield f'<text x="{middle}" y="{BOTTOM + 40}" text-anchor="middle">recall@10 (spaced by what is missed)</text>'
        yield f'<text transform="translate(22 {(TOP + BOTTOM) / 2}) rotate(-90)" text-anchor="middle">p50, ms</text>'

    def _ticks(self) -> list[float]:
        decades = range(floor(self._fast), ceil(self._slow) + 1)
        marks = [mark * 10.0**decade for decade in decades for mark in (1, 2, 5)]
        return [mark for mark in marks if self._fast <= log10(mark) <= self._slow]


def _missed(recall: float) -> float:
    return log10(max(1 - recall, _FLOOR))


def _line(place: int, each: Mapping[str, Any], scale: _Scale) -> Iterator[str]:
    """Yield a contender's line, marks and name; this engine's stand out."""
    colour, shape = _COLOURS[place % len(_COLOURS)], _SHAPES[place % len(_SHAPES)]
    size, weight = (6.5, ' font-weight="bold"') if each["own"] else (4.0, "")
    places = [(scale.x(recall), scale.y(milliseconds)) for recall, milliseconds in _spots(each)]
    path = "L".join(f"{x} {y}" for x, y in places)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    y = TOP + 10 + 34 * place
    for spot in (*places, (RIGHT + 22, y)):
        yield _mark(shape, *spot, size, colour)
    yield f'<text x="{RIGHT + 36}" y="{y + 4}"{weight}>{escape(each["name"])}</text>'
    yield f'<text x="{RIGHT + 36}" y="{y + 18}" font-size="11" fill="#666">{_chosen(each)}</text>'


def _chosen(each: Mapping[str, Any]) -> str:
    """Return what the chosen settings give, in words."""
    ten = next((point["k10"] for point in each["points"] if point["point"] == each.get("chosen")), None)
    return "" if ten is None else f"{ten['p50']:.2f} ms at {ten['recall']:.3f}"


def _mark(shape: str, x: float, y: float, size: float, colour: str) -> str:
    style = f'fill="{colour}" fill-opacity="0.8" stroke="white"'
    if shape == "circle":
        return f'<circle cx="{x}" cy="{y}" r="{size}" {style}/>'
    turn = f' transform="rotate(45 {x} {y})"' if shape == "diamond" else ""
    side = size * 1.7
    return f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"{turn} {style}/>'
