"""What shadow queries and the cache of questions do to a local query: with and without them in turns, round by round.

Rows are made up, nested as Nova's are; the embedder waits as long as Bedrock does (`--embed-ms`), or not at all. A
round asks so many questions without shadow queries and the same with them, the second time around in the other order,
and drops what still waits to be compared before the next turn. p99 is the median of the rounds' own, so that one slow
moment of the machine does not decide; the difference is taken within each round, with its quartiles.
Run: python -m bench.shadow [--rows 20000] [--rounds 12] [--questions 300] [--rate 0.1] [--gap-ms 5] [--json FILE]
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.nested import Nested
from nestor.answer import Answers, Asked
from nestor.codes import SIZES, encode
from nestor.domain import Embedding, Segment
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.search import Search
from nestor.settings import Settings
from nestor.shadow import SHARE, Beside, Sampler, Shadow
from nestor.strategies import Hierarchical
from nestor.wiring import Nestor

SEED = 0
SIZE = 256
EXACT = 3072


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Milliseconds of the whole answer: medians of the rounds."""

    what: str
    queries: int
    p50: float = 0.0
    p99: float = 0.0
    p99_quartiles: tuple[float, float] = (0.0, 0.0)


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


def measure(  # noqa: PLR0913 - named values, each of another kind
    home: Path, *, count: int, rounds: int, questions: int, rate: float, share: float, gap: float, embed: float
) -> Iterator[Line]:
    """Yield times without and with shadow queries, what these add, and those of a question that was asked before."""
    made = _rows(count + questions)
    stored, asked = made[:count], made[count:]
    with _opened(home, Drawn(asked, seconds=0.0)) as nestor:
        _fill(nestor, stored)
        took: dict[str, list[list[float]]] = {"without": [], f"at {rate:.0%}": []}
        for number in range(-1, rounds):  # the first warms up
            for name in took if number % 2 else reversed(took):
                shadows = Beside(
                    Shadow(nestor.vectors),
                    sampler=Sampler(0.0 if name == "without" else rate),
                    metrics=nestor.metrics,
                    share=share,
                )
                milliseconds = _ask(_answers(nestor, asked, shadows), range(questions), gap=gap)
                shadows.close()
                if number >= 0:
                    took[name].append(milliseconds)
        before, beside = (np.array([np.percentile(turn, [50, 99]) for turn in turns]) for turns in took.values())
        for name, figures in zip(took, (before, beside), strict=True):
            yield _line(f"shadow queries {name}", figures, rounds * questions)
        yield _line("what they add", beside - before, rounds * questions)
        compared, dropped = (_counted(nestor, result) for result in ("compared", "dropped"))
        yield Line(what=f"compared {compared:.0f}, dropped {dropped:.0f}", queries=int(compared + dropped))
    few = range(min(questions, 100))
    with _opened(home, Drawn(asked, seconds=embed)) as slow:
        for what in (f"embedder of {embed * 1000:.0f} ms, first time", "the same questions again"):
            yield _line(what, np.percentile([_ask(slow.answers, few)], [50, 99], axis=1).T, len(few))


def _answers(nestor: Nestor, asked: Embedding, shadows: Beside) -> Answers:
    return Answers(
        search=Search(embedder=Drawn(asked, seconds=0.0), vectors=nestor.vectors),
        strategy=lambda _: Hierarchical(nestor.vectors),
        vectors=nestor.vectors,
        metrics=nestor.metrics,
        shadows=shadows,
    )


def _counted(nestor: Nestor, result: str) -> float:
    found = re.search(rf'^nestor_shadow_total{{result="{result}"}} (\S+)$', nestor.metrics.text(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _rows(count: int) -> Embedding:
    made: Embedding = np.empty((0, EXACT), np.float32)
    for block, _ in Nested(EXACT, seed=SEED).blocks():
        made = np.concatenate([made, block])
        if len(made) >= count:
            break
    return made[:count]


@contextmanager
def _opened(home: Path, embedder: Drawn) -> Iterator[Nestor]:
    with Nestor(Settings(home=home, shadow_rate=0.0), embedder=embedder) as nestor:
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


def _line(what: str, figures: NDArray[np.float64], queries: int) -> Line:
    """Return the line of p50 and p99, a row of both for each round."""
    low, middle, high = np.percentile(figures, [25, 50, 75], axis=0).round(3).tolist()
    return Line(what=what, queries=queries, p50=middle[0], p99=middle[1], p99_quartiles=(low[1], high[1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--questions", type=int, default=300, help="Of a turn; a round has two.")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--share", type=float, default=SHARE, help="Of the time that comparing may take; 1: any.")
    parser.add_argument("--gap-ms", type=float, default=5.0, help="Between two questions; 0 leaves no time idle.")
    parser.add_argument("--embed-ms", type=float, default=100.0, help="Of the embedder where the cache is measured.")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    lines = []
    print(f"{'':44}{'queries':>8}{'p50 ms':>10}{'p99 ms':>10}   p99, quartiles of the rounds")
    with tempfile.TemporaryDirectory() as folder:
        for line in measure(
            Path(folder),
            count=given.rows,
            rounds=given.rounds,
            questions=given.questions,
            rate=given.rate,
            share=given.share,
            gap=given.gap_ms / 1000,
            embed=given.embed_ms / 1000,
        ):
            lines.append(line)
            low, high = line.p99_quartiles
            print(
                f"{line.what:44}{line.queries:8}{line.p50:10.2f}{line.p99:10.2f}   {low:.2f} to {high:.2f}", flush=True
            )
    if given.json:
        given.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
