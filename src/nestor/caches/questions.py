"""Embeddings of questions in words."""

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol

import orjson

from nestor.caches.bounded import Bounded, Rate
from nestor.domain import Embedding, Segment
from nestor.errors import NestorError
from nestor.ports import Embedder

MEMORY = 32 << 20
"""Bytes: some 2,600 questions."""


class Questions(Protocol):
    """Embeddings by digest, kept where other processes find them, too. Both methods raise NestorError."""

    def get(self, key: bytes) -> "Embedding | None":
        """Return the embedding, shape (3072,), None when there is none."""
        ...

    def put(self, key: bytes, embedding: Embedding) -> None:
        """Keep it."""
        ...


def normalised(words: str) -> str:
    """Return the words with composed characters and single blanks: what is embedded, whether cached or not."""
    return " ".join(unicodedata.normalize("NFC", words).split())


def _nobody(result: str, error: Exception | None = None) -> None:
    del result, error


class CachedEmbedder:
    """An embedder that remembers the embeddings of questions in words, by embedder, purpose and normalised text.

    An embedding depends on nothing else, so that what is remembered never goes stale.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        memory: Bounded[Embedding] | None = None,
        store: Questions | None = None,
        told: Callable[[str, Exception | None], None] = _nobody,
    ) -> None:
        """Remember in memory, and in the store if one is given.

        `told` hears of each question where its embedding came from: memory, store or embedder; and `failed` with the
        error when the store did, which costs the question nothing but time.
        """
        self._embedder = embedder
        self._memory = Bounded(MEMORY) if memory is None else memory
        self._store = store
        self._told = told

    @property
    def id(self) -> str:
        """The embedder's own."""
        return self._embedder.id

    @property
    def rate(self) -> Rate:
        """How often a question was known from memory."""
        return self._memory.rate

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return what the embedder gives."""
        return self._embedder.embed_segments(segments)

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return what the embedder gives."""
        return self._embedder.embed_segments_query(segments)

    def embed_text_query(self, text: str) -> Embedding:
        """Return the embedding of the normalised words. Raises EmbeddingFailed, which is not remembered."""
        words = normalised(text)
        key = hashlib.sha256(orjson.dumps([self._embedder.id, "question", words])).digest()
        result, known = "memory", self._memory.get(key)
        if known is None:
            result, known = "store", self._stored(key)
        if known is None:
            result, known = "embedder", self._embedder.embed_text_query(words)
            self._keep(key, known)
        self._memory.put(key, known, size=known.nbytes)
        self._told(result, None)
        return known

    def _stored(self, key: bytes) -> "Embedding | None":
        if self._store is None:
            return None
        try:
            return self._store.get(key)
        except NestorError as error:
            self._told("failed", error)
            return None

    def _keep(self, key: bytes, embedding: Embedding) -> None:
        if self._store is None:
            return
        try:
            self._store.put(key, embedding)
        except NestorError as error:
            self._told("failed", error)
