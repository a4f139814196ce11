"""What is told as Prometheus text, read by Prometheus' own parser."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from nestor.answer import Asked, _shadowed, asked, document
from nestor.domain import Embedding, Segment
from nestor.errors import EmbedderThrottled, InvalidInput
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.settings import Settings
from nestor.shadow import Shadow
from nestor.strategies import Direct
from nestor.telemetry import Prometheus
from nestor.wiring import Nestor

parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")


class Same:
    """Gives every question the same embedding."""

    id = "same-1"

    def embed_text_query(self, text: str) -> Embedding:
        """Return it."""
        row: Embedding = np.eye(1, 3072, dtype=np.float32)[0]
        return row

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return it."""
        return self.embed_text_query("")

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return a row of it for each."""
        return np.tile(self.embed_text_query(""), (len(segments), 1))


@pytest.fixture
def nestor(tmp_path: Path) -> Iterator[Nestor]:
    """Return a home with 20 rows that asks every question again."""
    drawn = np.random.default_rng(1).standard_normal((20, 3072)).astype(np.float32)
    settings = Settings(home=tmp_path, shadow_rate=1.0, question_cache=True, result_cache_seconds=60)
    with Nestor(settings, embedder=Same()) as nestor:
        nestor.store.prepare([256, 3072], embedder="same-1")
        for size, prefixes in nest(drawn, [256, 3072]).items():
            found = [VectorRow(f"k{n}", row, {"page": n, "collection": "c"}) for n, row in enumerate(prefixes)]
            nestor.store.put(size, found)
        yield nestor


def told(metrics: Prometheus) -> Callable[..., float | None]:
    """Return a function that gives a sample by its name and the values of its labels, in any order."""
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(metrics.text())
        for sample in family.samples
    }
    return lambda name, *labels: samples.get((name, *sorted(labels)))


def test_counted(nestor: Nestor) -> None:
    """Answers, stages, hits, bytes, embeddings and recall are told by strategy and size."""
    question = Asked(query="words", dimension=256, top_k=5)
    nestor.answers._shadows._share = 1.0  # type: ignore[union-attr]  # without the rest after each
    _, found = (nestor.answers.answer(question).found for _ in range(2))
    nestor.answers._shadows.settle()  # type: ignore[union-attr]
    asked_again = _shadowed(question, Same().embed_text_query("words"), Direct(nestor.vectors))
    recall = Shadow(nestor.vectors).compare(asked_again)
    assert recall is not None
    seen = told(nestor.metrics)
    assert seen("nestor_queries_total", "direct", "256", "200") == 2
    assert seen("nestor_hits_total", "direct", "256") == 10
    assert seen("nestor_requests_total", "direct", "256") == 2 * found.spent.requests == 2
    assert seen("nestor_returned_bytes_total", "direct", "256") == 2 * found.spent.returned_bytes > 0
    for stage in ("embed", "vectors", "total"):
        assert seen("nestor_query_seconds_count", "direct", "256", stage) == 2
    assert (seen("nestor_question_cache_total", "embedder"), seen("nestor_question_cache_total", "memory")) == (1, 1)
    assert seen("nestor_shadow_total", "compared") == 2 == seen("nestor_shadow_recall_count", "direct", "256")
    assert seen("nestor_shadow_recall_sum", "direct", "256") == pytest.approx(2 * recall)


def test_failures(nestor: Nestor) -> None:
    """Errors are told by kind and status; throttles besides; the words are nowhere."""
    with pytest.raises(InvalidInput, match="placeholder"):
        nestor.answers.answer(Asked(query="unmistakable", strategy="manual"))
    nestor.metrics.failed(EmbedderThrottled("slow down"), strategy="direct", dimension=256)
    seen = told(nestor.metrics)
    assert seen("nestor_queries_total", "manual", "3072", "400") == 1
    assert (seen("nestor_errors_total", "InvalidInput"), seen("nestor_errors_total", "Throttled")) == (1, 1)
    assert seen("nestor_throttles_total") == 1
    assert "unmistakable" not in nestor.metrics.text()


def test_embeddings_and_candidates(nestor: Nestor) -> None:
    """The document tells the strategy, its candidates, what it cost, and the embeddings where they are asked for."""
    question = asked(
        {"query": "w", "strategy": "refetch", "candidates": 15, "k": 2, "include_embedding": True, "collection": "c"}
    )
    told = document(question, nestor.answers.answer(question))
    assert (told["strategy"], told["candidates"], told["spent"]["requests"]) == ("refetch", 15, 3)
    (stored,) = nestor.store.fetch(3072, [told["hits"][0]["key"]])[0].values()
    assert told["hits"][0]["embedding"] == stored.tolist()
    assert len(told["hits"]) == 2


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"collection": "a"}, {"collection": "a"}),
        ({"filter": {"page": 1}}, {"page": 1}),
        ({"collection": "a", "filter": {"page": 1}}, {"$and": [{"collection": "a"}, {"page": 1}]}),
        ({}, None),
    ],
    ids=str,
)
def test_collection(given: dict[str, object], where: object) -> None:
    """A collection is one condition more."""
    assert asked({"query": "w", **given}).where == where


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"strategy": "best"}, "no strategy 'best'"),
        ({"dimension": 512}, "512"),
        ({"coarse": 1024}, "1024"),
        ({"candidates": 1_001}, "1 to 1,000"),
        ({"candidates": 0}, "candidates"),
        ({"collection": 5}, "collection is '5'"),
    ],
    ids=str,
)
def test_refused(given: dict[str, object], words: str) -> None:
    """What no strategy can do is refused before anything is embedded."""
    with pytest.raises(InvalidInput, match=words):
        asked({"query": "w", **given})
