"""Questions in, hits out, at any of the four sizes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nestor import media
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding, Filter, Hit, Modality, Reading
from nestor.errors import EmbedderMismatch, InvalidInput, UnreadableFile
from nestor.nesting import nest
from nestor.ports import Embedder, Vectors

MAX_TOP_K = 10_000
"""Of S3 Vectors since 2026-06-16."""

DIRECT = "direct"
"""The strategy that asks the index of the asked size, once."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of one index."""

    dimension: int
    hits: tuple[Hit, ...]
    embed_ms: float
    vectors_ms: float
    strategy: str = DIRECT

    @property
    def took_ms(self) -> dict[str, float]:
        """Milliseconds by stage, and in all."""
        total = self.embed_ms + self.vectors_ms
        stages = {"embed": self.embed_ms, "vectors": self.vectors_ms, "total": total}
        return {stage: round(ms, 3) for stage, ms in stages.items()}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, embedded once and asked at any size."""

    embedding: Embedding
    """Shape (3072,)."""
    embed_ms: float


def agreement(found: Found, reference: Found) -> float:
    """Return the share of the reference's keys that `found` holds too, 0 to 1 (1 when the reference is empty)."""
    wanted = {hit.key for hit in reference.hits}
    return len(wanted & {hit.key for hit in found.hits}) / len(wanted) if wanted else 1.0


def _read(path: Path, options: media.ReadOptions | None) -> Reading:
    # In a process of its own, as at ingest: the file is as untrusted.
    with media.ReaderPool(1, options or media.ReadOptions()) as pool:
        ((_, result),) = pool.read_all([path])
    if isinstance(result, UnreadableFile):
        raise result
    return result


class Search:
    """Embeds questions and asks the indexes."""

    def __init__(self, *, embedder: Embedder, vectors: Vectors, clock: Callable[[], float] = time.perf_counter) -> None:
        """Work through these ports."""
        self._embedder = embedder
        self._vectors = vectors
        self._clock = clock

    def words(self, query: str) -> Question:
        """Embed words. Raises InvalidInput when there are none, EmbeddingFailed."""
        if not query.strip():
            raise InvalidInput("The query is empty: say in some words what to look for.")
        return self._timed(lambda: self._embedder.embed_text_query(query))

    def file(self, path: Path, options: media.ReadOptions | None = None) -> Question:
        """Embed what a file holds, as a question. Raises UnreadableFile, EmbeddingFailed."""
        return self._reading(_read(path, options))

    def image(self, path: Path, options: media.ReadOptions | None = None) -> Question:
        """Embed a picture, as a question. Raises InvalidInput when it is none, UnreadableFile, EmbeddingFailed."""
        reading = _read(path, options)
        if reading.modality is not Modality.IMAGE:
            raise InvalidInput(f"{path} is no picture but {reading.content_type}: use --file for other kinds.")
        return self._reading(reading)

    def _reading(self, reading: Reading) -> Question:
        return self._timed(lambda: self._embedder.embed_segments_query(reading.segments))

    def ask(
        self, question: Question, *, dimension: int = FULL_DIMENSION, top_k: int = 10, where: Filter | None = None
    ) -> Found:
        """Return the nearest segments in the index of that size.

        Raises InvalidInput for a size or top_k out of range or when nothing was ingested yet, EmbedderMismatch when
        the index was filled by another embedder, VectorsError when the store fails: never an empty result instead.
        """
        if dimension not in DIMENSIONS:
            raise InvalidInput(f"There is no index of {dimension} components: choose one of {DIMENSIONS}.")
        if not 1 <= top_k <= MAX_TOP_K:
            raise InvalidInput(f"top_k is {top_k}; it must be 1 to {MAX_TOP_K:,}.")
        self._check_embedder(dimension)
        prefix = nest(question.embedding, [dimension])[dimension]
        started = self._clock()
        hits = self._vectors.query(dimension, prefix, top_k=top_k, where=where)
        return Found(dimension, tuple(hits), question.embed_ms, (self._clock() - started) * 1000)

    def ask_all(
        self,
        question: Question,
        *,
        dimensions: Sequence[int] = DIMENSIONS,
        top_k: int = 10,
        where: Filter | None = None,
    ) -> list[Found]:
        """Return the answer of every size, smallest first."""
        return [self.ask(question, dimension=dimension, top_k=top_k, where=where) for dimension in sorted(dimensions)]

    def _check_embedder(self, dimension: int) -> None:
        filled_by = self._vectors.embedder(dimension)
        if filled_by is None:
            raise InvalidInput("Nothing was ingested here yet: run `nestor ingest PATH` first.")
        if filled_by != self._embedder.id:
            raise EmbedderMismatch(
                f"The index of {dimension} components was filled by {filled_by or 'an embedder that nobody noted'}, "
                f"and the question was embedded by {self._embedder.id}: distances between the two mean nothing. "
                "Search with the former, or ingest into another home."
            )

    def _timed(self, embed: Callable[[], Embedding]) -> Question:
        started = self._clock()
        embedding = embed()
        return Question(embedding, (self._clock() - started) * 1000)
