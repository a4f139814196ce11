from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nestor.pipeline.excerpts import Excerpts


class _Lines:
    def __init__(self, text: str) -> None:
        self._lines = text.encode().removesuffix(b"\n").split(b"\n") if text else []
        self.read = 0

    def lines(self, uri: str) -> Any:
        for line in self._lines:
            self.read += 1
            yield line


@st.composite
def _cuts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    text = draw(st.text("ab \né\r世", max_size=60))
    bounds = sorted(draw(st.lists(st.integers(0, len(text)), max_size=10)))
    return text, [(start, min(len(text), start + draw(st.integers(0, 30)))) for start in bounds]


@given(_cuts())
def test_equals_slicing(made: tuple[str, list[tuple[int, int]]]) -> None:
    """Reading forward gives what slicing the whole text gives, overlapping cuts included."""
    text, cuts = made
    excerpts = Excerpts(_Lines(text), "s3://b/k")  # type: ignore[arg-type]  # only its lines are read
    assert [excerpts.cut(start, end) for start, end in cuts] == [text[start:end] for start, end in cuts]


def test_reads_no_further_than_needed() -> None:
    """What lies behind a cut is not read, and what lies before it is not kept."""
    lines = _Lines("\n".join(["x" * 99] * 1_000))
    excerpts = Excerpts(lines, "s3://b/k")  # type: ignore[arg-type]  # only its lines are read
    assert excerpts.cut(50_000, 50_010) == "x" * 10
    assert lines.read == 501
    assert len(excerpts._text) <= 100
