"""What was computed or read before: embeddings of questions, candidates' embeddings, whole answers.

Every cache is bounded by bytes and may be shared by threads. None can give an answer that the store would not have
given: see each one's rule.
"""

import hashlib
import sqlite3
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import orjson

from nestor.domain import Embedding, Hit, Segment
from nestor.errors import HomeUnusable
from nestor.nesting import nest
from nestor.ports import Embedder
from nestor.strategies.base import Asked, Ranking, Strategy

V = TypeVar("V")

ROUNDING = 1e-5
"""Two distances of one row this close are equal: float32 sums in another order differ by as much."""
_ENTRY = 200
"""Bytes of an entry beside its value, about."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a cache knew."""

    hits: int
    misses: int

    @property
    def share(self) -> float:
        """Hits among all look-ups, 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class Bounded(Generic[V]):
    """The most recently used values that fit in so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        """Begin empty."""
        self._most = most_bytes
        self._bytes = 0
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = 0

    @property
    def rate(self) -> Rate:
        """How often `get` knew."""
        return Rate(self._hits, self._misses)

    def get(self, key: Hashable) -> V | None:
        """Return the value, None when there is none."""
        with self._lock:
            entry = self._values.get(key)
            if entry is None:
                self._misses += 1
                return None
            self._hits += 1
            self._values.move_to_end(key)
            return entry[0]

    def put(self, key: Hashable, value: V, *, size: int) -> None:
        """Keep the value of that many bytes; what was used least recently goes."""
        with self._lock:
            self._forget(key)
            self._values[key] = (value, size + _ENTRY)
            self._bytes += size + _ENTRY
            while self._bytes > self._most:
                self._forget(next(iter(self._values)))

    def drop(self, key: Hashable) -> None:
        """Forget the value."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        _, size = self._values.pop(key, (None, 0))
        self._bytes -= size


def normalised(words: str) -> str:
    """Return the words with composed characters and single blanks: what is embedded, whether cached or not."""
    return " ".join(unicodedata.normalize("NFC", words).split())


class CachedEmbedder:
    """An embedder that remembers the embeddings of questions in words, by embedder, purpose and normalised text.

    An embedding depends on nothing else, so that what is remembered never goes stale.
    """

    def __init__(self, embedder: Embedder, *, most_bytes: int = 32 << 20, file: "QuestionFile | None" = None) -> None:
        """Remember in memory, and in the file if one is given, where other processes find it, too."""
        self._embedder = embedder
        self._memory: Bounded[Embedding] = Bounded(most_bytes)
        self._file = file

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
        known = self._memory.get(key)
        if known is None and self._file is not None:
            known = self._file.get(key)
        if known is None:
            known = self._embedder.embed_text_query(words)
            if self._file is not None:
                self._file.put(key, known)
        self._memory.put(key, known, size=known.nbytes)
        return known


class QuestionFile:
    """Embeddings of questions in SQLite, by a digest: the words themselves are not kept. Raises HomeUnusable."""

    def __init__(self, path: Path, *, most: int = 10_000) -> None:
        """Open or create it; of more than that many, the oldest go."""
        self._path = path
        self._most = most
        self._lock = threading.Lock()
        with self._lock:
            self._run("CREATE TABLE IF NOT EXISTS question (digest BLOB PRIMARY KEY, embedding BLOB NOT NULL)")

    def get(self, key: bytes) -> "Embedding | None":
        """Return the embedding, None when there is none."""
        with self._lock:
            rows = self._run("SELECT embedding FROM question WHERE digest = ?", key)
        return np.frombuffer(rows[0][0], np.float32) if rows else None

    def put(self, key: bytes, embedding: Embedding) -> None:
        """Keep it."""
        oldest = "DELETE FROM question WHERE rowid <= (SELECT max(rowid) FROM question) - ?"
        with self._lock:
            self._run("INSERT OR REPLACE INTO question VALUES (?, ?)", key, embedding.tobytes())
            self._run(oldest, self._most)

    def _run(self, statement: str, *values: bytes | int) -> list[tuple[bytes, ...]]:
        try:
            with closing(sqlite3.connect(self._path, timeout=5)) as database, database:
                return database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise HomeUnusable(f"Cannot use {self._path}: {error}. It may be removed: it is a cache.") from error


class KeptEmbeddings:
    """Embeddings of candidates that `refetch` read before.

    One is used only while its prefix is as far from the question as the index says of that key right now: after the
    row was written anew, by whomever, the two differ and it is read again.
    """

    def __init__(self, most_bytes: int = 256 << 20) -> None:
        """Begin empty."""
        self._memory: Bounded[Embedding] = Bounded(most_bytes)

    @property
    def rate(self) -> Rate:
        """How often an embedding was there."""
        return self._memory.rate

    def get(self, dimension: int, hits: Sequence[Hit], asked: Asked, *, coarse: int) -> Mapping[str, Embedding]:
        """Return those that are still what the index holds."""
        known = {hit.key: found for hit in hits if (found := self._memory.get((dimension, hit.key))) is not None}
        if not known:
            return {}
        prefixes = nest(np.stack(list(known.values())), [coarse])[coarse]
        distances = dict(zip(known, 1.0 - prefixes @ asked.prefix(coarse), strict=True))
        current = {hit.key for hit in hits if hit.key in known and abs(distances[hit.key] - hit.distance) < ROUNDING}
        for key in known.keys() - current:
            self._memory.drop((dimension, key))
        return {key: found for key, found in known.items() if key in current}

    def put(self, dimension: int, embeddings: Mapping[str, Embedding]) -> None:
        """Keep them."""
        for key, embedding in embeddings.items():
            self._memory.put((dimension, key), embedding, size=embedding.nbytes)


class CachedStrategy:
    """A strategy that gives an answer again for some seconds, while nothing was written. Off unless someone uses it.

    `generation` is asked before each search: what it returns changes with every write that is to be seen.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        generation: Callable[[], Hashable],
        seconds: float = 10.0,
        most_bytes: int = 16 << 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Search by this strategy."""
        self._strategy = strategy
        self._generation = generation
        self._seconds = seconds
        self._memory: Bounded[tuple[float, Ranking]] = Bounded(most_bytes)
        self._clock = clock

    @property
    def name(self) -> str:
        """The strategy's own."""
        return self._strategy.name

    @property
    def rate(self) -> Rate:
        """How often an answer was there, be it too old."""
        return self._memory.rate

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return those of the strategy."""
        return self._strategy.indexes(dimension)

    def search(self, asked: Asked) -> Ranking:
        """Return the answer. Raises as the strategy does; an error is not remembered."""
        where = orjson.dumps(asked.where, option=orjson.OPT_SORT_KEYS)
        # Asked before the search: what is written while it runs makes another generation.
        key = (self._generation(), asked.dimension, asked.top_k, where, asked.words, asked.embedding.tobytes())
        known = self._memory.get(key)
        if known is not None and self._clock() - known[0] < self._seconds:
            return known[1]
        found = self._strategy.search(asked)
        size = len(asked.embedding.tobytes()) + len(orjson.dumps([dict(hit.metadata) for hit in found.hits]))
        self._memory.put(key, (self._clock(), found), size=size)
        return found
