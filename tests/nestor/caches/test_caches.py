"""Caches: what they may give again, and what they must not."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.adapters.question_file import QuestionFile
from nestor.caches import Bounded, CachedEmbedder, CachedStrategy, KeptEmbeddings, RankingMemory, Rate
from nestor.domain import Embedding, Segment
from nestor.errors import EmbeddingFailed, HomeUnusable, VectorsError
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.settings import Settings
from nestor.strategies import Asked, Direct, Refetch
from nestor.wiring import Nestor


def unit(seed: int) -> Embedding:
    """Return a unit row."""
    drawn = np.random.default_rng(seed).standard_normal(3072)
    row: Embedding = (drawn / np.linalg.norm(drawn)).astype(np.float32)
    return row


class Counting:
    """An embedder that writes down what it was asked; fails for the word `fail`."""

    def __init__(self, name: str = "counting-1") -> None:
        """Answer under this id."""
        self.id = name
        self.asked: list[str] = []

    def embed_text_query(self, text: str) -> Embedding:
        """Return a row drawn from the text and the embedder."""
        self.asked.append(text)
        if text == "fail":
            raise EmbeddingFailed("refused")
        return unit(sum((self.id + text).encode()))

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return a row a segment."""
        return np.stack([unit(segment.index) for segment in segments])

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return the row of the first."""
        return unit(segments[0].index)


def test_the_bound_is_in_bytes_and_the_least_recently_used_goes() -> None:
    """Three entries of 1,000 bytes in room for two and a half."""
    cache: Bounded[str] = Bounded(3_000)
    cache.put("a", "A", size=1_000)
    cache.put("b", "B", size=1_000)
    assert cache.get("a") == "A"
    cache.put("c", "C", size=1_000)
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]
    cache.put("huge", "H", size=10_000)
    assert [cache.get(key) for key in ("a", "c", "huge")] == [None, None, None]
    assert cache.rate == Rate(hits=3, misses=4)


def test_putting_again_replaces_and_is_counted_once() -> None:
    """A key written a thousand times leaves room for another."""
    cache: Bounded[int] = Bounded(2_500)
    for number in range(1_000):
        cache.put("a", number, size=1_000)
    cache.put("b", 1, size=1_000)
    assert (cache.get("a"), cache.get("b")) == (999, 1)


def test_a_question_is_embedded_once_however_it_is_spaced() -> None:
    """Blanks and composed characters do not matter, letters' case does; the rate tells."""
    embedder = Counting()
    cached = CachedEmbedder(embedder)
    first = cached.embed_text_query("caf\u00e9  au lait ")
    assert (cached.embed_text_query("cafe\u0301 au\nlait") == first).all()
    cached.embed_text_query("Caf\u00e9 au lait")
    assert embedder.asked == ["caf\u00e9 au lait", "Caf\u00e9 au lait"]
    assert cached.rate == Rate(hits=1, misses=2)
    assert cached.rate.share == pytest.approx(1 / 3)


def test_a_failure_is_not_remembered() -> None:
    """It is asked again, and fails again."""
    cached = CachedEmbedder(Counting())
    for _ in range(2):
        with pytest.raises(EmbeddingFailed):
            cached.embed_text_query("fail")


def test_the_file_serves_another_process_and_another_embedder_never(tmp_path: Path) -> None:
    """Bit-equal; only under the embedder's own id; the words are not in the file."""
    path = tmp_path / "questions.sqlite"
    one, other, third = Counting(), Counting(), Counting("counting-2")
    first = CachedEmbedder(one, store=QuestionFile(path)).embed_text_query("unmistakable")
    assert (CachedEmbedder(other, store=QuestionFile(path)).embed_text_query("unmistakable") == first).all()
    assert other.asked == []
    assert not (CachedEmbedder(third, store=QuestionFile(path)).embed_text_query("unmistakable") == first).all()
    assert b"unmistakable" not in path.read_bytes()


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """Of more than three the oldest go."""
    embedder = Counting()
    for word in "abcde":
        CachedEmbedder(embedder, store=QuestionFile(tmp_path / "q", most=3)).embed_text_query(word)
    embedder.asked.clear()
    for word in "edcba":
        CachedEmbedder(embedder, store=QuestionFile(tmp_path / "q", most=9)).embed_text_query(word)
    assert embedder.asked == ["b", "a"]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """With the name of the file, and what may be done."""
    (tmp_path / "q").write_bytes(b"no database " * 100)
    with pytest.raises(HomeUnusable, match="may be removed"):
        QuestionFile(tmp_path / "q").get(b"digest")


@pytest.fixture
def nestor(tmp_path: Path) -> Iterator[Nestor]:
    """Return a home with 30 rows at 256 and 3072."""
    with Nestor(Settings(home=tmp_path / "home")) as nestor:
        nestor.store.prepare([256, 3072], embedder="e")
        for number in range(30):
            write(nestor, number, unit(number))
        yield nestor


def write(nestor: Nestor, number: int, full: Embedding) -> None:
    """Store one row at both sizes."""
    for size, prefix in nest(full, [256, 3072]).items():
        nestor.store.put(size, [VectorRow(f"k{number}", prefix, {"page": number})])


def test_refetch_reads_an_embedding_once(nestor: Nestor) -> None:
    """The second question needs no GetVectors, and the answer is the same."""
    kept = KeptEmbeddings()
    strategy = Refetch(nestor.store, kept=kept)
    plain = Refetch(nestor.store).search(Asked(embedding=unit(5)))
    first, second = (strategy.search(Asked(embedding=unit(5))) for _ in range(2))
    assert first.hits == second.hits == plain.hits
    assert (first.spent.requests, second.spent.requests) == (2, 1)
    assert kept.rate == Rate(hits=30, misses=30)


def test_a_row_that_was_written_anew_is_read_again(nestor: Nestor) -> None:
    """By whomever it was written: the cache hears of no write, and still never answers from the old embedding."""
    strategy = Refetch(nestor.store, kept=KeptEmbeddings())
    for round_ in range(5):
        for number in range(30):
            write(nestor, number, unit(1_000 * round_ + number))
        asked = Asked(embedding=unit(1_000 * round_ + 7), top_k=30)
        found = strategy.search(asked)
        exact = Direct(nestor.store).search(asked)
        assert [hit.key for hit in found.hits] == [hit.key for hit in exact.hits]
        distances = [hit.distance for hit in exact.hits]
        assert [hit.distance for hit in found.hits] == pytest.approx(distances, abs=1e-6)
        assert found.hits[0].key == "k7"
        assert found.spent.requests == 2


def test_kept_embeddings_are_bounded_by_bytes(nestor: Nestor) -> None:
    """Room for ten: twenty are read again."""
    kept = KeptEmbeddings(most_bytes=10 * (3072 * 4 + 200))
    strategy = Refetch(nestor.store, kept=kept)
    for _ in range(2):
        strategy.search(Asked(embedding=unit(5)))
    assert kept.rate.hits == 10


class Generation:
    """A number that tests turn."""

    value = 0

    def __call__(self) -> int:
        """Return it."""
        return self.value


def test_an_answer_is_given_again_until_something_is_written(nestor: Nestor) -> None:
    """Same question, filter, size and number: same object; a new generation: asked anew, and the new row is there."""
    generation = Generation()
    cached = CachedStrategy(Direct(nestor.store), generation=generation, seconds=1e9)
    asked = Asked(embedding=unit(99))
    first = cached.search(asked)
    assert cached.search(replace(asked)) is first
    for other in (
        replace(asked, top_k=3),
        replace(asked, dimension=256),
        replace(asked, where={"page": 3}),
        replace(asked, words="words"),
        replace(asked, embedding=unit(98)),
    ):
        assert cached.search(other) is not first
    write(nestor, 99, unit(99))
    assert cached.search(asked) is first
    generation.value += 1
    assert cached.search(asked).hits[0].key == "k99"


def test_an_answer_ends_after_its_seconds(nestor: Nestor) -> None:
    """By the clock that it was given."""
    now = 0.0
    cached = CachedStrategy(Direct(nestor.store), generation=lambda: 0, seconds=10, clock=lambda: now)
    first = cached.search(Asked(embedding=unit(1)))
    now = 9.9
    assert cached.search(Asked(embedding=unit(1))) is first
    now = 10.0
    assert cached.search(Asked(embedding=unit(1))) is not first


def test_strategies_that_share_a_memory_are_told_apart(nestor: Nestor) -> None:
    """By their options: another number of candidates is another answer, the same number the same one."""
    memory, asked = RankingMemory(), Asked(embedding=unit(1), top_k=3)
    found = [
        CachedStrategy(Refetch(nestor.store, candidates=each), memory=memory, options=each).search(asked)
        for each in (5, 20, 5)
    ]
    assert [each.candidates for each in found] == [5, 20, 5]
    assert found[2] is found[0]


def test_an_error_is_not_remembered(nestor: Nestor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next search is a search."""
    cached = CachedStrategy(Direct(nestor.store), generation=lambda: 0)
    real = nestor.store.rank

    def broken(*_: Any, **__: Any) -> Any:
        raise VectorsError("down", code="X")

    monkeypatch.setattr(nestor.store, "rank", broken)
    with pytest.raises(VectorsError):
        cached.search(Asked(embedding=unit(1)))
    monkeypatch.setattr(nestor.store, "rank", real)
    assert cached.search(Asked(embedding=unit(1))).hits[0].key == "k1"


def test_threads_may_share_a_cache() -> None:
    """Eight of them put and get; the bound holds, and every value is its key's."""
    cache: Bounded[int] = Bounded(20 * 300)
    wrong: list[int] = []

    def work(start: int) -> None:
        for number in range(start, start + 500):
            cache.put(number % 60, number % 60, size=100)
            found = cache.get((number * 7) % 60)
            if found not in {None, (number * 7) % 60}:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(cache.get(number) is not None for number in range(60)) == 20


def test_a_row_whose_tail_was_written_anew_is_read_again(nestor: Nestor) -> None:
    """Its prefix is as far from the question as before, as that of a text is whose last words changed."""
    strategy = Refetch(nestor.store, kept=KeptEmbeddings())
    asked = Asked(embedding=unit(5), top_k=30)
    for round_ in range(3):
        full = unit(5).copy()
        full[256:] = full[256:][:: 1 if round_ == 1 else -1]
        for size, prefix in nest(full, [256, 3072]).items():
            nestor.store.put(size, [VectorRow("k5", prefix, {"page": 5, "uploaded_at": round_})])
        found = {hit.key: hit.distance for hit in strategy.search(asked).hits}
        exact = {hit.key: hit.distance for hit in Direct(nestor.store).search(asked).hits}
        assert found == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("content", [b"", b"\0" * 3, b"\0" * 4, b"\0" * 12_288, b"\xff" * 12_288])
def test_a_damaged_embedding_in_the_file_is_none(tmp_path: Path, content: bytes) -> None:
    """The question is embedded again, and kept anew."""
    path = tmp_path / "questions.sqlite"
    first = CachedEmbedder(Counting(), store=QuestionFile(path)).embed_text_query("heron")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE question SET embedding = ?", [content])
    for asked in (["heron"], []):
        embedder = Counting()
        assert (CachedEmbedder(embedder, store=QuestionFile(path)).embed_text_query("heron") == first).all()
        assert embedder.asked == asked


def test_a_home_with_a_damaged_file_of_questions_still_answers(
    nestor: Nestor, digest_embedder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs time; what is wrong is told once."""
    home = nestor.settings.home
    (home / "questions.sqlite").write_bytes(b"no database " * 100)
    with Nestor(replace(nestor.settings, question_cache=True), embedder=digest_embedder) as other:
        for words in ("heron", "water"):
            assert other.questions.embed_text_query(words).shape == (3072,)
    (told,) = caplog.messages
    assert "questions.sqlite" in told
    assert "may be removed" in told
