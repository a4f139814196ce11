"""What counts as relevant."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.nestor.chat.conftest import TEXTS, Memory, stocked

from nestor.adapters.calibrations import CalibrationFile
from nestor.chat.threshold import SHIPPED, UNMEASURED, background, of_unrelated, shipped
from nestor.chat.thresholds import Thresholds
from nestor.domain import DIMENSIONS
from nestor.errors import InvalidInput
from nestor.ports import Calibration
from nestor.wiring import Nestor


def test_as_many_pass_as_promised() -> None:
    """Over many draws of 100 questions, a further one of the same kind passes in 9 to 10 % of all cases."""
    chance = random.Random(6)  # noqa: S311  # no secret
    passed = 0
    for _ in range(4_000):
        threshold = of_unrelated([chance.gauss(0.2, 0.1) for _ in range(100)])
        passed += chance.gauss(0.2, 0.1) > threshold
    assert 0.085 <= passed / 4_000 <= 0.108


def test_too_few_questions_give_the_highest() -> None:
    """Below nine, no quantile of 90 % can be promised."""
    assert of_unrelated([0.3, 0.1, 0.2]) == 0.3


def test_the_background_is_wide_and_without_repetition() -> None:
    """A hundred questions, each once."""
    assert len(background()) == len(set(background())) == 100
    assert all(3 <= len(question.split()) <= 12 for question in background())


def test_what_nobody_measured_says_so() -> None:
    """The local embedder has figures of other data; Nova has none."""
    assert shipped("nestor-local-1-abc", 256).origin == "measured on other data"
    nova = shipped("amazon.nova-2-multimodal-embeddings-v1:0", 3072)
    assert (nova.similarity, nova.origin) == (UNMEASURED, "not measured")
    assert all(set(known) == set(DIMENSIONS) for known in SHIPPED.values())


def thresholds(library: Nestor, calibrations: Memory, *, segments: int = 3, free: bool = True) -> Thresholds:
    """Return the thresholds of the library."""
    return Thresholds(
        search=library.search,
        embedder=lambda: library.embedder.id,
        calibrations=calibrations,
        segments=lambda: segments,
        free=free,
    )


def test_the_first_question_measures_and_the_next_ones_look_up(library: Nestor) -> None:
    """For its size alone; again when the library is more than twice as large. The figure is the index's own."""
    memory = Memory()
    first = thresholds(library, memory).of(384)
    assert first.origin == "measured here"
    best = [library.search.ask(library.search.words(each), dimension=384, top_k=1).hits[0] for each in background()]
    assert sum(hit.similarity > first.similarity for hit in best) <= 10
    assert set(memory.kept) == {("words-1", 384)}
    memory.kept["words-1", 384] = Calibration("words-1", 384, 0.5, segments=3, questions=100)
    assert thresholds(library, memory, segments=6).of(384).similarity == 0.5
    assert thresholds(library, memory, segments=7).of(384).similarity == first.similarity


def test_what_costs_money_is_measured_when_asked_for(library: Nestor) -> None:
    """Before that there is the default; after that what was found is used, however the library grows."""
    memory = Memory()
    paid = thresholds(library, memory, free=False)
    assert paid.of(256).origin == "not measured"
    paid.measure([256])
    assert thresholds(library, memory, segments=3_000, free=False).of(256).origin == "measured here"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Nestor]:
    """Return a home of this test's own."""
    yield from stocked(tmp_path, TEXTS)


def test_an_empty_index_says_what_fills_it(own: Nestor) -> None:
    """Whether nothing was ingested, or only this size is empty."""
    own.store.drop(384)
    own.vectors.prepare([384], embedder=own.embedder.id)
    with pytest.raises(InvalidInput, match="nestor reindex --add 384"):
        thresholds(own, Memory(), segments=3).of(384)
    for manifest in list(own.library.assets()):
        own.library.delete(manifest.uri)
    with pytest.raises(InvalidInput, match="Nothing was ingested"):
        thresholds(own, Memory(), segments=0).of(384)


def test_the_file_keeps_each_embedder_and_size(tmp_path: Path) -> None:
    """Another instance reads what was put; a damaged file counts as nothing measured, and is replaced."""
    path = tmp_path / "chat" / "thresholds.json"
    known = [Calibration(name, 256, 0.1 + place, 5, 100) for place, name in enumerate(("a", "b"))]
    for each in known:
        CalibrationFile(path).put(each)
    assert [CalibrationFile(path).get(name, 256) for name in ("a", "b")] == known
    assert CalibrationFile(path).get("a", 384) is None
    path.write_bytes(b'{"a 256": {"embed')
    assert CalibrationFile(path).get("a", 256) is None
    CalibrationFile(path).put(known[0])
    assert CalibrationFile(path).get("a", 256) == known[0]
