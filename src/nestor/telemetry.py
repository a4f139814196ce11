"""What is counted of questions, and Prometheus text of it. Never words, vectors or secrets."""

from typing import Protocol

from nestor.errors import MissingExtra
from nestor.refusals import refusal
from nestor.search import Found

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram's buckets."""


class Metrics(Protocol):
    """Counts questions. No method raises; threads may share it."""

    def answered(self, found: Found) -> None:
        """Count an answer: its stages, hits, requests and bytes."""
        ...

    def failed(self, error: Exception, *, strategy: str = "", dimension: int = 0) -> None:
        """Count a question without an answer; strategy and dimension where they are known."""
        ...

    def question(self, result: str, error: Exception | None = None) -> None:
        """Count where an embedding came from: `memory`, `store` or `embedder`; `failed` when a store did, with why."""
        ...

    def shadow(self, result: str, *, strategy: str, dimension: int, recall: float | None = None) -> None:
        """Count a shadow query: `compared`, `empty`, `dropped`, `failed`, `sent`; recall is 0 to 1, of `compared`."""
        ...


class Prometheus:
    """Counts in this process, told as Prometheus text."""

    CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        """Begin at zero. Raises MissingExtra."""
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram, Summary
        except ImportError as error:
            raise MissingExtra("Counting needs prometheus-client: pip install 'nestor[app]'.") from error
        registry = self._registry = CollectorRegistry()
        way = ("strategy", "dimension")
        self._seconds = Histogram(
            "nestor_query_seconds", "By stage.", (*way, "stage"), buckets=_SECONDS, registry=registry
        )
        self._queries = Counter("nestor_queries", "By HTTP status.", (*way, "status"), registry=registry)
        self._hits = Counter("nestor_hits", "Hits in answers.", way, registry=registry)
        self._requests = Counter("nestor_requests", "Sent to the vector store.", way, registry=registry)
        self._bytes = Counter("nestor_returned_bytes", "From the vector store.", way, registry=registry)
        self._errors = Counter("nestor_errors", "Questions without an answer.", ("kind",), registry=registry)
        self._throttles = Counter("nestor_throttles", "Of these, too much at once.", registry=registry)
        self._questions = Counter(
            "nestor_question_cache", "Where embeddings of questions came from.", ("result",), registry=registry
        )
        self._shadows = Counter("nestor_shadow", "Shadow queries.", ("result",), registry=registry)
        self._recall = Summary("nestor_shadow_recall", "Against exact 3,072.", way, registry=registry)

    def text(self) -> str:
        """Return everything as Prometheus text."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry).decode()

    def answered(self, found: Found) -> None:
        """Count an answer."""
        way = (found.strategy, str(found.dimension))
        for stage, milliseconds in found.took_ms.items():
            self._seconds.labels(*way, stage).observe(milliseconds / 1000)
        self._queries.labels(*way, "200").inc()
        self._hits.labels(*way).inc(len(found.hits))
        self._requests.labels(*way).inc(found.spent.requests)
        self._bytes.labels(*way).inc(found.spent.returned_bytes)

    def failed(self, error: Exception, *, strategy: str = "", dimension: int = 0) -> None:
        """Count a question without an answer."""
        refused = refusal(error)
        self._queries.labels(strategy, str(dimension or ""), str(refused.status)).inc()
        self._errors.labels(refused.code).inc()
        if refused.status == 429:
            self._throttles.inc()

    def question(self, result: str, error: Exception | None = None) -> None:
        """Count where an embedding came from."""
        del error
        self._questions.labels(result).inc()

    def shadow(self, result: str, *, strategy: str, dimension: int, recall: float | None = None) -> None:
        """Count a shadow query."""
        self._shadows.labels(result).inc()
        if recall is not None:
            self._recall.labels(strategy, str(dimension)).observe(recall)
