"""Questions asked of indexes that are missing, or of another embedder."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nestor.answer import Answers, Asked
from nestor.errors import EmbedderMismatch, InvalidInput
from nestor.search import Search
from nestor.shadow import Shadowed
from nestor.strategies import NAMES, Direct, Hierarchical, Manual, Refetch
from nestor.wiring import Nestor


@pytest.fixture
def without_384(nestor: Nestor, tmp_path: Path) -> Nestor:
    """Return a home with one text, whose indexes of 256 and 384 were dropped."""
    (tmp_path / "one.txt").write_text("A heron stands in the shallow water.")
    list(nestor.ingest.run([tmp_path / "one.txt"]))
    list(nestor.reindex.run(drop=[256, 384]))
    return nestor


class Counting:
    """An embedder that counts the questions."""

    def __init__(self, embedder: Any, name: str) -> None:
        """Answer as this embedder does, under another id."""
        self.id = name
        self.asked = 0
        self._embedder = embedder

    def embed_text_query(self, text: str) -> Any:
        """Count and answer."""
        self.asked += 1
        return self._embedder.embed_text_query(text)

    def embed_segments_query(self, segments: Any) -> Any:
        """Count and answer."""
        return self.embed_text_query(segments[0].text)

    def embed_segments(self, segments: Any) -> Any:
        """Fail: nothing is ingested here."""
        raise AssertionError


def missing(size: int) -> str:
    """Return the pattern of what is said of a size that has no index."""
    return re.escape(f"There is no index of {size} components here: `nestor reindex --add {size}` makes it.")


def test_a_dropped_size_is_said_to_be_missing(without_384: Nestor) -> None:
    """Whichever strategy asks it; adding it, as is said, mends it."""
    search, vectors = without_384.search, without_384.vectors
    question = search.words("A heron stands in the shallow water.")
    with pytest.raises(InvalidInput, match=missing(384)):
        search.ask(question, dimension=384)
    for way in (Hierarchical(vectors), Refetch(vectors)):
        with pytest.raises(InvalidInput, match=missing(256)):
            search.ask(question, strategy=way)
    list(without_384.reindex.run(add=[384]))
    assert len(search.ask(question, dimension=384).hits) == 1


def test_an_empty_home_is_said_to_be_empty(nestor: Nestor) -> None:
    """At every size."""
    for dimension in (256, 3072):
        with pytest.raises(InvalidInput, match="Nothing was ingested here yet"):
            nestor.search.ask(nestor.search.words("heron"), dimension=dimension)
    with pytest.raises(InvalidInput, match="Nothing was ingested here yet"):
        nestor.search.ask_all(nestor.search.words("heron"))


def test_all_sizes_are_those_that_are_there(without_384: Nestor) -> None:
    """A size that is asked for by number is not left out; a strategy that reads no index is asked at all four."""
    search = without_384.search
    question = search.words("heron")
    assert search.sizes() == (1024, 3072)
    assert [found.dimension for found in search.ask_all(question)] == [1024, 3072]
    with pytest.raises(InvalidInput, match=missing(384)):
        search.ask_all(question, dimensions=[3072, 384])

    class Nothing:
        def rows(self, dimension: int) -> Iterator[Any]:
            del dimension
            return iter(())

    assert [found.dimension for found in search.ask_all(question, strategy=Manual(Nothing()))] == [256, 384, 1024, 3072]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "manual"])
def test_a_refused_question_is_not_embedded(without_384: Nestor, tmp_path: Path, name: str) -> None:
    """Each may cost money: the indexes are looked at first, be it words or a file that asks."""
    list(without_384.reindex.run(add=[256]))
    other = Counting(without_384.embedder, "paid-1")
    search = Search(embedder=other, vectors=without_384.vectors)
    for question in (search.words("heron"), search.file(tmp_path / "one.txt")):
        with pytest.raises(EmbedderMismatch, match=r"digest-1[\s\S]*paid-1"):
            search.ask(question, strategy=without_384.strategy(name))
    assert other.asked == 0


def test_a_question_is_embedded_once(without_384: Nestor) -> None:
    """However many sizes are asked; its time is told with each."""
    counting = Counting(without_384.embedder, "digest-1")
    search = Search(embedder=counting, vectors=without_384.vectors)
    found = search.ask_all(search.words("heron"))
    assert counting.asked == 1
    assert found[0].embed_ms == found[1].embed_ms > 0


def test_an_embedding_that_failed_is_tried_again(without_384: Nestor) -> None:
    """The question is not lost."""

    class Failing(Counting):
        def embed_text_query(self, text: str) -> Any:
            found = super().embed_text_query(text)
            if self.asked == 1:
                raise InvalidInput("not yet")
            return found

    search = Search(embedder=Failing(without_384.embedder, "digest-1"), vectors=without_384.vectors)
    question = search.words("heron")
    with pytest.raises(InvalidInput, match="not yet"):
        search.ask(question)
    assert len(search.ask(question).hits) == 1


def test_an_empty_index_beside_a_filled_one_is_said_to_be_empty(without_384: Nestor) -> None:
    """An empty answer would be wrong, whichever strategy asks; one under a filter that nothing matches is right."""
    search, vectors = without_384.search, without_384.vectors
    vectors.prepare([256], embedder=without_384.embedder.id)
    question = search.words("A heron stands in the shallow water.")
    empty = re.escape("The index of 256 components is empty, and that of 3072 is not: `nestor reindex --add 256`")
    with pytest.raises(InvalidInput, match=empty):
        search.ask(question, dimension=256)
    for way in (Hierarchical(vectors), Refetch(vectors)):
        with pytest.raises(InvalidInput, match=empty):
            search.ask(question, strategy=way)
    with pytest.raises(InvalidInput, match=empty):
        search.ask_all(question)
    list(without_384.reindex.run(add=[256]))
    assert [len(found.hits) for found in search.ask_all(question)] == [1, 1, 1]
    assert search.ask(question, dimension=256, where={"modality": "video"}).hits == ()


def test_indexes_that_are_all_empty_find_nothing(without_384: Nestor) -> None:
    """That is the truth once everything was deleted."""
    (manifest,) = without_384.library.assets()
    without_384.library.delete(manifest.uri)
    assert without_384.search.ask(without_384.search.words("heron")).hits == ()


def test_a_refused_question_is_not_embedded_for_a_comparison_beside_it(without_384: Nestor) -> None:
    """Shadow queries ask again what was asked, not what was refused."""
    other = Counting(without_384.embedder, "paid-1")
    offered: list[Shadowed] = []
    answers = Answers(
        search=Search(embedder=other, vectors=without_384.vectors),
        strategy=lambda _: Direct(without_384.vectors),
        vectors=without_384.vectors,
        metrics=without_384.metrics,
        shadows=Offered(offered),
    )
    with pytest.raises(EmbedderMismatch):
        answers.answer(Asked(query="heron"))
    assert (other.asked, offered) == (0, [])
    other.id = without_384.embedder.id
    answers.answer(Asked(query="heron", dimension=1024))
    assert (other.asked, [question.dimension for question in offered]) == (1, [1024])


class Offered:
    """Keeps the questions that it is offered."""

    def __init__(self, questions: list[Shadowed]) -> None:
        """Keep them there."""
        self._questions = questions

    def offer(self, question: Shadowed) -> None:
        """Keep it."""
        self._questions.append(question)
