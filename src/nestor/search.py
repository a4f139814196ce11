"""Questions in, hits out, at any of the four sizes."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nestor import media
from nestor.domain import DIMENSIONS, FULL_DIMENSION, PARTLY, Embedding, Filter, Hit, Modality, Reading
from nestor.errors import EmbedderMismatch, InvalidInput, UnreadableFile
from nestor.ports import Embedder, Spent, Vectors
from nestor.strategies.base import Asked, Strategy, check_dimension
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


class Question:
    """A question, embedded when an index is first asked, once for all sizes: one that is refused costs nothing.

    Threads may share it.
    """

    def __init__(
        self,
        embed: Callable[[], Embedding],
        *,
        words: str | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Embed by this, later; `words` as they were typed, None when a file asks."""
        self.words = words
        self._made: Callable[[], Embedding] | tuple[Embedding, float] = embed
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def embedding(self) -> Embedding:
        """Shape (3072,). Raises EmbeddingFailed the first time, and again until it succeeds."""
        return self._once()[0]

    @property
    def embed_ms(self) -> float:
        """What embedding it took; raises as `embedding` does."""
        return self._once()[1]

    def _once(self) -> tuple[Embedding, float]:
        with self._lock:
            if callable(self._made):
                started = self._clock()
                embedding = self._made()
                self._made = embedding, (self._clock() - started) * 1000  # what was read of a file is let go of
            return self._made


def _nobody(embedding: Embedding) -> None:
    del embedding


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
        """Return words as a question. Raises InvalidInput when there are none."""
        if not query.strip():
            raise InvalidInput("The query is empty: say in some words what to look for.")
        return Question(lambda: self._embedder.embed_text_query(query), words=query, clock=self._clock)

    def file(self, path: Path, options: media.ReadOptions | None = None) -> Question:
        """Return what a file holds, as a question. Raises UnreadableFile."""
        return self._reading(_read(path, options))

    def image(self, path: Path, options: media.ReadOptions | None = None) -> Question:
        """Return a picture, as a question. Raises InvalidInput when it is none, UnreadableFile."""
        reading = _read(path, options)
        if reading.modality is not Modality.IMAGE:
            raise InvalidInput(f"{path} is no picture but {reading.content_type}: use --file for other kinds.")
        return self._reading(reading)

    def _reading(self, reading: Reading) -> Question:
        return Question(lambda: self._embedder.embed_segments_query(reading.segments), clock=self._clock)

    def sizes(self) -> tuple[int, ...]:
        """Return the sizes that have an index, smallest first; one that is filled in part is left out."""
        found = {size: self._vectors.embedder(size) for size in DIMENSIONS}
        return tuple(size for size, name in found.items() if name is not None and not name.startswith(PARTLY))

    def check(self, strategy: Strategy | None = None, *, dimension: int = FULL_DIMENSION) -> None:
        """Raise what `ask` does before it embeds the question: InvalidInput, EmbedderMismatch, VectorsError."""
        check_dimension(dimension, DIMENSIONS)
        for index in (strategy or self._direct).indexes(dimension):
            self._check_index(index)

    def ask(
        self,
        question: Question,
        *,
        dimension: int = FULL_DIMENSION,
        top_k: int = 10,
        where: Filter | None = None,
        strategy: Strategy | None = None,
        asking: Callable[[Embedding], None] = _nobody,
    ) -> Found:
        """Return the nearest segments at that size, found by the strategy; `direct` when none is given.

        `asking` hears the question's embedding just before the indexes are asked: not where it was refused.

        Raises InvalidInput for a size or top_k out of range, for an index that is not there or is empty beside one
        that is not, EmbedderMismatch when it was filled by another embedder, EmbeddingFailed, VectorsError when the
        store fails: never an empty result instead.
        """
        way = strategy or self._direct
        self.check(way, dimension=dimension)
        asked = Asked(embedding=question.embedding, words=question.words, dimension=dimension, top_k=top_k, where=where)
        asking(asked.embedding)
        started = self._clock()
        ranking = way.search(asked)
        if not ranking.hits:
            self._check_filled(way.indexes(dimension), asked)
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
        dimensions: Sequence[int] | None = None,
        top_k: int = 10,
        where: Filter | None = None,
        strategy: Strategy | None = None,
    ) -> list[Found]:
        """Return the answer of each of these sizes, smallest first; where none are given, of all that can be asked.

        Those are the sizes that have an index, or all four for a strategy that reads none. Raises as `ask` does.
        """
        wanted = self._askable(strategy or self._direct) if dimensions is None else dimensions
        return [
            self.ask(question, dimension=dimension, top_k=top_k, where=where, strategy=strategy)
            for dimension in sorted(wanted)
        ]

    def _askable(self, way: Strategy) -> Sequence[int]:
        if not way.indexes(FULL_DIMENSION):
            return DIMENSIONS
        return self.sizes() or DIMENSIONS

    def _check_index(self, dimension: int) -> None:
        filled_by = self._vectors.embedder(dimension)
        if filled_by is None:
            raise InvalidInput(self._missing(dimension))
        if filled_by.startswith(PARTLY):
            raise InvalidInput(
                f"The index of {dimension} components is filled in part: `nestor reindex --add {dimension}`, which is "
                "at work or was interrupted, does the rest."
            )
        if filled_by != self._embedder.id:
            raise EmbedderMismatch(
                f"The index of {dimension} components was filled by {filled_by or 'an embedder that nobody noted'}, "
                f"and questions are embedded by {self._embedder.id}: distances between the two mean nothing. "
                "Search with the former, or ingest into another home."
            )

    def _check_filled(self, indexes: Sequence[int], asked: Asked) -> None:
        """Raise InvalidInput where an index found nothing because it holds nothing, and another one does."""
        for index in indexes:
            if self._holds(index, asked):
                continue
            if filled := next((size for size in reversed(self.sizes()) if self._holds(size, asked)), None):
                mend = "doctor` tells more" if index == FULL_DIMENSION else f"reindex --add {index}` fills it"
                raise InvalidInput(
                    f"The index of {index} components is empty, and that of {filled} is not: `nestor {mend}."
                )

    def _holds(self, dimension: int, asked: Asked) -> bool:
        # Asked, not listed: whoever may search may not list.
        return bool(self._vectors.query(dimension, asked.prefix(dimension), top_k=1))

    def _missing(self, dimension: int) -> str:
        # All other sizes are made from the largest.
        if dimension == FULL_DIMENSION or not self.sizes():
            return "Nothing was ingested here yet: run `nestor ingest PATH` first."
        return f"There is no index of {dimension} components here: `nestor reindex --add {dimension}` makes it."
