"""Questions to hits, with the embeddings of the hits where they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nestor.domain import FULL_DIMENSION, Embedding, Filter
from nestor.errors import InvalidInput
from nestor.search import Found, Search

MAX_TOP_K = 100
"""Hits in one answer: it must fit the 6 MB that a function may return, embeddings included."""


class StoredEmbeddings(Protocol):
    """The embeddings in the indexes."""

    def get(self, dimension: int, keys: Sequence[str]) -> Mapping[str, Embedding]:
        """Return those of at most 100 keys, absent ones left out. Raises VectorsError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and how it is to be answered."""

    query: str
    dimension: int = FULL_DIMENSION
    top_k: int = 10
    where: Filter | None = None
    with_embeddings: bool = False

    def __post_init__(self) -> None:
        """Refuse more hits than an answer holds."""
        if not 1 <= self.top_k <= MAX_TOP_K:
            raise InvalidInput(f"top_k is {self.top_k}; it must be 1 to {MAX_TOP_K}.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, nearest first."""

    found: Found
    embeddings: Mapping[str, Embedding]
    """By key; empty unless they were asked for."""


class Answers:
    """Answers questions."""

    def __init__(self, *, search: Search, embeddings: StoredEmbeddings) -> None:
        """Ask through these."""
        self._search = search
        self._embeddings = embeddings

    def answer(self, asked: Asked) -> Answer:
        """Return what was found. Raises InvalidInput, EmbedderMismatch, EmbeddingFailed, VectorsError."""
        question = self._search.words(asked.query)
        found = self._search.ask(question, dimension=asked.dimension, top_k=asked.top_k, where=asked.where)
        if not asked.with_embeddings or not found.hits:
            return Answer(found, {})
        return Answer(found, self._embeddings.get(asked.dimension, [hit.key for hit in found.hits]))
