"""Shadow queries: what is compared, what is dropped, and that nobody waits."""

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.domain import Embedding
from nestor.errors import InvalidInput, VectorsError
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.settings import Settings
from nestor.shadow import Beside, Elsewhere, Sampler, Shadow, Shadowed, shadowed
from nestor.wiring import Nestor


def rows(count: int, seed: int) -> Embedding:
    """Return unit rows without any nesting: small sizes find others than the full one."""
    drawn = np.random.default_rng(seed).standard_normal((count, 3072))
    made: Embedding = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return made


ASKED = Shadowed(
    embedding=rows(1, 99)[0], strategy="direct", dimension=256, top_k=10, coarse=256, candidates=100, where=None
)


class Counted:
    """Writes down what was counted."""

    def __init__(self) -> None:
        """Begin empty."""
        self.shadows: list[tuple[str, float | None]] = []

    def answered(self, found: Any) -> None:
        """Ignore."""

    def failed(self, error: Exception, *, strategy: str = "", dimension: int = 0) -> None:
        """Ignore."""

    def question(self, result: str, error: Exception | None = None) -> None:
        """Ignore."""

    def shadow(self, result: str, *, strategy: str, dimension: int, recall: float | None = None) -> None:
        """Write down."""
        assert (strategy, dimension) == (ASKED.strategy, ASKED.dimension)
        self.shadows.append((result, recall))


@pytest.fixture
def nestor(tmp_path: Path) -> Iterator[Nestor]:
    """Return a home with 60 rows at 256 and 3072."""
    with Nestor(Settings(home=tmp_path / "home")) as nestor:
        nestor.store.prepare([256, 3072], embedder="e")
        for size, prefixes in nest(rows(60, 1), [256, 3072]).items():
            nestor.store.put(size, [VectorRow(f"k{n}", row, {"page": n}) for n, row in enumerate(prefixes)])
        yield nestor


def _nearest(dimension: int) -> set[int]:
    """Return the ten nearest rows, reckoned in float64."""
    stored = rows(60, 1).astype(np.float64)[:, :dimension]
    question = ASKED.embedding.astype(np.float64)[:dimension]
    return set(np.argsort(-(stored @ question) / np.linalg.norm(stored, axis=1))[:10].tolist())


def test_recall(nestor: Nestor) -> None:
    """It is the share of the exact keys that the strategy found."""
    expected = len(_nearest(256) & _nearest(3072)) / 10
    assert 0 < expected < 1
    assert Shadow(nestor.vectors).compare(ASKED) == expected
    assert Shadow(nestor.vectors).compare(replace(ASKED, strategy="refetch", dimension=3072)) == 1.0


def test_nothing_to_find(nestor: Nestor) -> None:
    """Where the exact answer is empty there is no recall."""
    assert Shadow(nestor.vectors).compare(replace(ASKED, where={"page": 100})) is None


def test_message() -> None:
    """A question survives the way through a queue, bit-equal."""
    sent = replace(ASKED, where={"page": {"$gt": 3}})
    got = shadowed(sent.message())
    assert (got.embedding == sent.embedding).all()
    assert replace(got, embedding=sent.embedding).message() == sent.message()
    assert got.where == sent.where


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{}",
        ASKED.message()[:-1],
        ASKED.message().replace("top_k", "k"),
        ASKED.message().replace('":"', '":"!', 1),
    ],
    ids=range(6),
)
def test_no_message(message: str) -> None:
    """What we did not write is refused, not guessed at."""
    with pytest.raises(InvalidInput, match="no shadow query"):
        shadowed(message)


@pytest.mark.parametrize("embedding", [rows(1, 1)[0, :256], np.full(3072, np.nan, np.float32)], ids=["short", "nan"])
def test_no_embedding(embedding: Embedding) -> None:
    """An embedding of another size or with no numbers is refused."""
    with pytest.raises(InvalidInput, match="finite"):
        shadowed(replace(ASKED, embedding=embedding).message())


@pytest.mark.parametrize(
    ("strategy", "dimension", "sampled"),
    [("direct", 256, True), ("direct", 3072, False), ("hierarchical", 3072, True), ("hybrid", 256, False)],
)
def test_comparable(strategy: str, dimension: int, sampled: bool) -> None:
    """What is exact by itself, or not meant to be like the exact answer, is never sampled."""
    assert Sampler(1.0)(replace(ASKED, strategy=strategy, dimension=dimension)) is sampled


def test_rate() -> None:
    """A draw below the rate is sampled; at the rate 0 none is."""
    draws = iter([0.0999, 0.1, 0.0])
    sampler = Sampler(0.1, draw=lambda: next(draws))
    assert [sampler(ASKED), sampler(ASKED)] == [True, False]
    assert not Sampler(0.0, draw=lambda: next(draws))(ASKED)


class Held(Shadow):
    """Compares when it is let; fails after that if told to."""

    def __init__(self, *, fail: bool = False) -> None:
        """Hold."""
        self.began, self.let = threading.Event(), threading.Event()
        self.threads: set[str] = set()
        self._fail = fail

    def compare(self, question: Shadowed) -> float:
        """Compare."""
        self.threads.add(threading.current_thread().name)
        self.began.set()
        assert self.let.wait(10)
        if self._fail:
            raise VectorsError("down", code="X")
        return 0.5


def test_nobody_waits() -> None:
    """While one is compared two wait, the rest is dropped and counted; all of it in another thread."""
    shadow, counted = Held(), Counted()
    beside = Beside(shadow, sampler=Sampler(1.0), metrics=counted, waiting=2, pause=0, share=1.0)
    beside.offer(ASKED)
    assert shadow.began.wait(10)
    for _ in range(5):
        beside.offer(ASKED)
    assert counted.shadows == [("dropped", None)] * 3
    shadow.let.set()
    beside.settle()
    assert counted.shadows[3:] == [("compared", 0.5)] * 3
    assert shadow.threads == {"shadow"}
    beside.close()


def test_a_failure_is_counted_and_the_thread_goes_on() -> None:
    """Two that fail are counted twice."""
    shadow, counted = Held(fail=True), Counted()
    shadow.let.set()
    beside = Beside(shadow, sampler=Sampler(1.0), metrics=counted, pause=0, share=1.0)
    for _ in range(2):
        beside.offer(ASKED)
    beside.settle()
    assert counted.shadows == [("failed", None)] * 2
    beside.close()


class Slow:
    """Takes a while for each comparison, and knows how long it was between them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.spans: list[tuple[float, float]] = []

    def compare(self, question: Shadowed) -> float:
        """Wait, and return a share."""
        started = time.monotonic()
        threading.Event().wait(0.02)
        self.spans.append((started, time.monotonic()))
        return 1.0


def test_comparing_takes_its_share_of_the_time_and_no_more() -> None:
    """After each comparison the thread rests, for as many times as long as the share says."""
    slow = Slow()
    beside = Beside(slow, sampler=Sampler(1.0), metrics=Counted(), pause=0, share=0.2)  # type: ignore[arg-type]
    for _ in range(4):
        beside.offer(ASKED)
    beside.settle()
    beside.close()
    assert len(slow.spans) == 4
    for (began, ended), (next_began, _) in itertools.pairwise(slow.spans):
        assert next_began - ended >= 3.9 * (ended - began)


def test_close() -> None:
    """What runs is finished, what waits dropped, and nothing taken any more."""
    shadow, counted = Held(), Counted()
    beside = Beside(shadow, sampler=Sampler(1.0), metrics=counted, pause=0, share=1.0)
    beside.offer(ASKED)
    assert shadow.began.wait(10)
    beside.offer(ASKED)
    closing = threading.Thread(target=beside.close)
    closing.start()
    assert beside._closed.wait(10)
    shadow.let.set()
    closing.join(10)
    assert not closing.is_alive()
    beside.offer(ASKED)
    assert counted.shadows == [("compared", 0.5), ("dropped", None)]


def test_no_thread_at_rate_0() -> None:
    """Without sampled questions there is no thread, and nothing to close."""
    beside = Beside(Held(), sampler=Sampler(0.0), metrics=Counted())
    beside.offer(ASKED)
    beside.close()
    assert beside._thread is None


class Box:
    """Keeps messages, or fails."""

    def __init__(self, *, fail: bool = False) -> None:
        """Begin empty."""
        self.messages: list[str] = []
        self._fail = fail

    def send(self, message: str) -> None:
        """Keep."""
        if self._fail:
            raise ConnectionError
        self.messages.append(message)


@pytest.mark.parametrize("fail", [False, True], ids=["sent", "failed"])
def test_elsewhere(fail: bool) -> None:
    """A sampled question is sent once and counted once; a failure to send is only counted."""
    box, counted = Box(fail=fail), Counted()
    elsewhere = Elsewhere(box, sampler=Sampler(1.0), metrics=counted)
    elsewhere.offer(ASKED)
    elsewhere.settle()
    elsewhere.settle()
    assert counted.shadows == [("failed" if fail else "sent", None)]
    assert box.messages == ([] if fail else [ASKED.message()])
