"""`POST /query`: a document to a question, a question to an answer, an answer to a document; here and in AWS alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding, Filter, Hit
from nestor.errors import InvalidInput
from nestor.ports import VectorSearch
from nestor.search import Found, Question, Search
from nestor.shadow import Shadowed, Shadows
from nestor.strategies.base import CANDIDATES, COARSE, Strategy, check_dimension, check_funnel
from nestor.strategies.named import NAMES
from nestor.telemetry import Metrics

MAX_TOP_K = 100
"""Hits in one answer: it must fit the 6 MB that a function may return, embeddings included."""
MAX_CANDIDATES = 1_000
"""Ten pages of S3 Vectors, 5 MB with their codes."""
_MEMBERS: Mapping[str, type] = {
    "query": str,
    "dimension": int,
    "top_k": int,
    "k": int,
    "strategy": str,
    "coarse": int,
    "candidates": int,
    "filter": dict,
    "collection": str,
    "include_embedding": bool,
}
_WORDS = {str: "a text", int: "a whole number", dict: "an object", bool: "true or false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and how it is to be answered. Raises InvalidInput for what cannot be."""

    query: str
    dimension: int = FULL_DIMENSION
    top_k: int = 10
    strategy: str | None = None
    """None for the usual one of who answers."""
    coarse: int = COARSE[0]
    candidates: int = CANDIDATES
    where: Filter | None = None
    with_embeddings: bool = False

    def __post_init__(self) -> None:
        """Refuse what no strategy can do, and more than an answer holds."""
        check_dimension(self.dimension, DIMENSIONS)
        check_funnel(self.coarse, self.candidates)
        if not 1 <= self.top_k <= MAX_TOP_K:
            raise InvalidInput(f"top_k is {self.top_k}; it must be 1 to {MAX_TOP_K}.")
        if self.candidates > MAX_CANDIDATES:
            raise InvalidInput(f"candidates is {self.candidates}; it must be 1 to {MAX_CANDIDATES:,}.")
        if self.strategy is not None and self.strategy not in NAMES:
            raise InvalidInput(f"There is no strategy {self.strategy!r}: {', '.join(NAMES)}.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, nearest first."""

    found: Found
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)
    """By key; empty unless they were asked for."""


class Answers:
    """Answers questions, counts what it does, and offers each question to be asked again beside it."""

    def __init__(
        self,
        *,
        search: Search,
        strategy: Callable[[Asked], Strategy],
        vectors: VectorSearch,
        metrics: Metrics,
        shadows: Shadows | None = None,
    ) -> None:
        """Ask through these; `strategy` gives the way to answer, and raises InvalidInput for one that cannot be had."""
        self._search = search
        self._strategy = strategy
        self._vectors = vectors
        self._metrics = metrics
        self._shadows = shadows

    def answer(self, asked: Asked, *, question: Question | None = None) -> Answer:
        """Return what was found; `question` is what a file asks, embedded already.

        Raises InvalidInput, EmbedderMismatch, EmbeddingFailed, ObjectsError, VectorsError.
        """
        name = asked.strategy or ""
        try:
            strategy = self._strategy(asked)
            name = strategy.name
            answer = self._answer(asked, question or self._search.words(asked.query), strategy)
        except Exception as error:
            self._metrics.failed(error, strategy=name, dimension=asked.dimension)
            raise
        self._metrics.answered(answer.found)
        return answer

    def _answer(self, asked: Asked, question: Question, strategy: Strategy) -> Answer:
        found = self._search.ask(
            question,
            dimension=asked.dimension,
            top_k=asked.top_k,
            where=asked.where,
            strategy=strategy,
            asking=lambda embedding: self._offer(asked, embedding, strategy),
        )
        if not asked.with_embeddings or not found.hits:
            return Answer(found)
        embeddings, spent = self._vectors.fetch(asked.dimension, [hit.key for hit in found.hits])
        return Answer(replace(found, spent=found.spent + spent), embeddings)

    def _offer(self, asked: Asked, embedding: Embedding, strategy: Strategy) -> None:
        if self._shadows is not None:
            self._shadows.offer(_shadowed(asked, embedding, strategy))


def _shadowed(asked: Asked, embedding: Embedding, strategy: Strategy) -> Shadowed:
    return Shadowed(
        embedding=embedding,
        strategy=strategy.name,
        dimension=asked.dimension,
        top_k=asked.top_k,
        coarse=asked.coarse,
        candidates=asked.candidates,
        where=asked.where,
    )


def asked(document: Mapping[str, Any]) -> Asked:
    """Return the question. Raises InvalidInput naming the member that is unknown or makes no sense."""
    if unknown := sorted(map(str, document.keys() - _MEMBERS.keys())):
        raise InvalidInput(f"{unknown[0][:80]!r} is unknown; known are {', '.join(sorted(_MEMBERS))}.")
    if "top_k" in document and "k" in document:
        raise InvalidInput("top_k and k are the same: send one of them.")
    given = {name: value for name, value in document.items() if value is not None}
    for name, value in given.items():
        if type(value) is not _MEMBERS[name]:  # a boolean is no number here
            raise InvalidInput(f"{name} is {str(value)[:80]!r}; it must be {_WORDS[_MEMBERS[name]]}.")
    return Asked(
        query=given.get("query", ""),
        where=_where(given.get("filter"), given.get("collection")),
        with_embeddings=given.get("include_embedding", False),
        **({"top_k": given["k"]} if "k" in given else {}),
        **{name: given[name] for name in ("dimension", "top_k", "strategy", "coarse", "candidates") if name in given},
    )


def document(asked: Asked, answer: Answer) -> dict[str, Any]:
    """Return the answer as a document."""
    found = answer.found
    return {
        "query": asked.query,
        "dimension": found.dimension,
        "strategy": found.strategy,
        "hits": [_hit(hit, answer.embeddings.get(hit.key)) for hit in found.hits],
        "candidates": found.candidates,
        "spent": {"requests": found.spent.requests, "returned_bytes": found.spent.returned_bytes},
        "took_ms": found.took_ms,
    }


def _where(where: Filter | None, collection: str | None) -> Filter | None:
    if collection is None:
        return where
    inside = {"collection": collection}
    return {"$and": [inside, where]} if where else inside


def _hit(hit: Hit, embedding: "Embedding | None") -> dict[str, Any]:
    return {
        "key": hit.key,
        "similarity": hit.similarity,
        "distance": hit.distance,
        **({} if hit.score is None else {"score": hit.score}),
        "metadata": dict(hit.metadata),
        **({} if embedding is None else {"embedding": embedding.tolist()}),
    }
