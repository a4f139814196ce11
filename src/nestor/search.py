"""Questions in, hits out, at any of the four sizes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nestor import media
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding, Filter, Hit, Modality, Reading
from nestor.errors import EmbedderMismatch, InvalidInput, UnreadableFile
from nestor.ports import Embedder, Spent, Vectors
from nestor.strategies.base import Asked, Strategy
from nestor.strategies.direct import Direct


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one question, and what it took."""

    dimension: int
    hits: tuple[Hit, ...]
    embed_ms: float
    vectors_ms: float
    """Of the whole search: every stage after the embedding."""
    strategy: str = Direct.name
    spent: Spent = field(default_factory=Spent)
    candidates: int = 0
    """Rows that were looked at again in a second stage."""
    fallbacks: int = 0
    """Of these, rows that cost a request more: see the strategy."""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of the stages inside `vectors_ms`."""

    @property
    def took_ms(self) -> dict[str, float]:
        """Milliseconds by stage, and in all."""
        later = {stage: ms for stage, ms in self.stages.items() if stage != "vectors"}
        vectors = max(0.0, self.vectors_ms - sum(later.values()))
        total = self.embed_ms + self.vectors_ms
        stages = {"embed": self.embed_ms, "vectors": vectors, **later, "total": total}
        return {stage: round(ms, 3) for stage, ms in stages.items()}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, embedded once and asked at any size."""

    embedding: Embedding
    """Shape (3072,)."""
    embed_ms: float
    words: str | None = None
    """As they were typed; None when a file asks."""


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
        self._direct = Direct(vectors)
        self._clock = clock

    def words(self, query: str) -> Question:
        """Embed words. Raises InvalidInput when there are none, EmbeddingFailed."""
        if not query.strip():
            raise InvalidInput("The query is empty: say in some words what to look for.")
        return replace(self._timed(lambda: self._embedder.embed_text_query(query)), words=query)

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
        self,
        question: Question,
        *,
        dimension: int = FULL_DIMENSION,
        top_k: int = 10,
        where: Filter | None = None,
        strategy: Strategy | None = None,
    ) -> Found:
        """Return the nearest segments at that size, found by the strategy; `direct` when none is given.

        Raises InvalidInput for a size or top_k out of range or when nothing was ingested yet, EmbedderMismatch when
        the index was filled by another embedder, VectorsError when the store fails: never an empty result instead.
        """
        way = strategy or self._direct
        asked = Asked(embedding=question.embedding, words=question.words, dimension=dimension, top_k=top_k, where=where)
        for index in way.indexes(dimension):
            self._check_embedder(index)
        started = self._clock()
        ranking = way.search(asked)
        return Found(
            dimension,
            ranking.hits,
            question.embed_ms,
            (self._clock() - started) * 1000,
            strategy=way.name,
            spent=ranking.spent,
            candidates=ranking.candidates,
            fallbacks=ranking.fallbacks,
            stages=ranking.stages,
        )

    def ask_all(
        self,
        question: Question,
        *,
        dimensions: Sequence[int] = DIMENSIONS,
        top_k: int = 10,
        where: Filter | None = None,
        strategy: Strategy | None = None,
    ) -> list[Found]:
        """Return the answer of every size, smallest first."""
        return [
            self.ask(question, dimension=dimension, top_k=top_k, where=where, strategy=strategy)
            for dimension in sorted(dimensions)
        ]

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
