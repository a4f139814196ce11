"""What shadow queries and the cache of questions do to a local query: both rates in the same run, in turns.

Rows are made up, nested as Nova's are; the embedder waits as long as Bedrock does (`--embed-ms`), or is the local one.
Run: python -m bench.shadow [--rows 20000] [--queries 2000] [--rate 0.1] [--gap-ms 0] [--json FILE]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.nested import Nested
from nestor.answer import Answers, Asked
from nestor.codes import SIZES, encode
from nestor.domain import Embedding, Segment
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.settings import Settings
from nestor.wiring import Nestor

SEED = 0
SIZE = 256
EXACT = 3072
BLOCK = 100
"""Questions at one rate before the other has its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Milliseconds of the whole answer."""

    what: str
    queries: int
    p50: float
    p99: float


class Drawn:
    """Embeds the question `n` as row n, after so many seconds."""

    id = "drawn-1"

    def __init__(self, embeddings: Embedding, *, seconds: float) -> None:
        """Draw from these."""
        self._embeddings = embeddings
        self._seconds = seconds

    def embed_text_query(self, text: str) -> Embedding:
        """Return the row."""
        time.sleep(self._seconds)
        row: Embedding = self._embeddings[int(text)]
        return row

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return the first rows."""
        found: Embedding = self._embeddings[: len(segments)]
        return found

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return the first row."""
        row: Embedding = self.embed_segments(segments[:1])[0]
        return row


def measure(home: Path, *, count: int, queries: int, rate: float, gap: float, embed: float) -> Iterator[Line]:
    """Yield p50 and p99 without and with shadow queries, and of a question that was asked before."""
    made = _rows(count + queries)
    stored, questions = made[:count], made[count:]
    with _opened(home, Drawn(questions, seconds=0.0), rate=0.0) as plain:
        _fill(plain, stored)
        with _beside(plain, Drawn(questions, seconds=0.0), rate=rate) as shadowed:
            ways = {0.0: plain.answers, rate: shadowed.answers}
            took: dict[float, list[float]] = {each: [] for each in ways}
            for answers in ways.values():
                _ask(answers, range(BLOCK))
            for start in range(0, queries, BLOCK):
                order = list(ways) if start // BLOCK % 2 else list(ways)[::-1]
                for each in order:
                    took[each] += _ask(ways[each], range(start, min(start + BLOCK, queries)), gap=gap)
        for each, milliseconds in took.items():
            yield _line(f"shadow rate {each}", milliseconds)
        few = range(min(queries, 200))
        with _beside(plain, Drawn(questions, seconds=embed), rate=0.0) as slow:
            yield _line(f"embedder of {embed * 1000:.0f} ms, first time", _ask(slow.answers, few))
            yield _line("the same questions again", _ask(slow.answers, few))


def _rows(count: int) -> Embedding:
    made: Embedding = np.empty((0, EXACT), np.float32)
    for block, _ in Nested(EXACT, seed=SEED).blocks():
        made = np.concatenate([made, block])
        if len(made) >= count:
            break
    return made[:count]


@contextmanager
def _opened(home: Path, embedder: Drawn, *, rate: float) -> Iterator[Nestor]:
    with Nestor(Settings(home=home, shadow_rate=rate), embedder=embedder) as nestor:
        yield nestor


@contextmanager
def _beside(first: Nestor, embedder: Drawn, *, rate: float) -> Iterator[Nestor]:
    # One engine for both: two would not share what they keep in memory.
    with _opened(first.settings.home, embedder, rate=rate) as nestor:
        nestor.client = first.client
        yield nestor


def _fill(nestor: Nestor, stored: Embedding) -> None:
    nestor.store.prepare([SIZE, EXACT], embedder=Drawn.id)
    for start in range(0, len(stored), 1_000):
        block = stored[start : start + 1_000]
        codes = encode(block)
        for size, prefixes in nest(block, [SIZE, EXACT]).items():
            coded = size in SIZES
            found = [
                VectorRow(f"k{start + n}", row, {"page": n, **({"code": codes[n]} if coded else {})})
                for n, row in enumerate(prefixes)
            ]
            nestor.store.put(size, found)


def _ask(answers: Answers, numbers: range, *, gap: float = 0.0) -> list[float]:
    took = []
    for number in numbers:
        started = time.perf_counter()
        answers.answer(Asked(query=str(number), strategy="hierarchical"))
        took.append((time.perf_counter() - started) * 1000)
        if gap:
            time.sleep(gap)
    return took


def _line(what: str, milliseconds: Sequence[float]) -> Line:
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return Line(what=what, queries=len(milliseconds), p50=round(float(p50), 3), p99=round(float(p99), 3))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--gap-ms", type=float, default=0.0, help="Between two questions; 0 leaves no time idle.")
    parser.add_argument("--embed-ms", type=float, default=100.0, help="Of the embedder where the cache is measured.")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = list(
            measure(
                Path(folder),
                count=given.rows,
                queries=given.queries,
                rate=given.rate,
                gap=given.gap_ms / 1000,
                embed=given.embed_ms / 1000,
            )
        )
    print(f"{'':44}{'queries':>8}{'p50 ms':>10}{'p99 ms':>10}")
    for line in lines:
        print(f"{line.what:44}{line.queries:8}{line.p50:10.2f}{line.p99:10.2f}")
    if given.json:
        given.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
