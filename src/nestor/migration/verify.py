"""Whether the indexes hold what the placeholder held, and find what its scan found."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding
from nestor.migration.journal import Journal, Source
from nestor.migration.placeholder import Damaged, parse
from nestor.migration.source import Placeholder
from nestor.nesting import nest
from nestor.ports import VectorRow, Vectors

TOP_K: Final = 10
AGREEMENT: Final = 0.9
"""The recall that S3 Vectors promises on average; below it a verification fails."""

_TOGETHER = 100
_TIE = 1e-5
"""Similarities nearer than this are equal, as far as float32 sums go."""


class Rows(Protocol):
    """Rows of the indexes by key."""

    def get(self, dimension: int, keys: Sequence[str]) -> Mapping[str, VectorRow]:
        """Return the rows of the keys, absent ones left out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was compared, and what came of it."""

    stored: int
    """Segments that must be in each index."""
    missing: dict[int, int] = field(default_factory=dict)
    """By size, how many of them are not."""
    compared: int
    """Segments whose embeddings were compared with the placeholder's, at every size."""
    unequal: tuple[str, ...] = ()
    """Of these, size and key of each embedding that is not bit for bit the placeholder's."""
    scanned: int
    """Segments that the old scan looked at, for each question."""
    agreement: dict[int, float] = field(default_factory=dict)
    """By size, how far the ten hits of the index and those of the old scan are the same, 0 to 1."""

    @property
    def holds(self) -> bool:
        """Whether nothing is missing or unequal, and the searches agree."""
        agree = all(share >= AGREEMENT for share in self.agreement.values())
        return not any(self.missing.values()) and not self.unequal and agree


class Verifier:
    """Compares the placeholder with the indexes."""

    def __init__(
        self,
        placeholder: Placeholder,
        *,
        journal: Journal,
        vectors: Vectors,
        rows: Rows,
        dimensions: Sequence[int] = DIMENSIONS,
        seed: int = 0,
    ) -> None:
        """Compare these sizes through these ports; the seed chooses the samples."""
        self._placeholder = placeholder
        self._journal = journal
        self._vectors = vectors
        self._rows = rows
        self._dimensions = dimensions
        self._seed = seed

    def verify(self, *, sample: int = 200, questions: int = 10, scan: int = 2_000) -> Verification:
        """Count every key, compare a sample of the embeddings, and ask some of them as questions of both.

        The old scan looks at `scan` segments at most. Raises VectorsError, ObjectsError.
        """
        _, stored, _ = self._journal.totals()
        chosen = self._sample(max(sample, scan))
        compared = chosen[:sample]
        return Verification(
            stored=stored,
            missing={size: stored - self._present(size) for size in self._dimensions},
            compared=len(compared),
            unequal=tuple(self._unequal(compared)),
            scanned=len(chosen[:scan]),
            agreement=self._agreement(compared[:questions], chosen[:scan]),
        )

    def _sample(self, size: int) -> list[Source]:
        """Return that many stored rows at random, all of them when there are fewer, in random order."""
        draw = random.Random(self._seed)  # noqa: S311 - a sample, no secret
        chosen: list[Source] = []
        for count, each in enumerate(self._journal.sources()):
            if count < size:
                chosen.append(each)
            elif (place := draw.randrange(count + 1)) < size:
                chosen[place] = each
        draw.shuffle(chosen)
        return chosen

    def _present(self, size: int) -> int:
        return sum(self._journal.holds(key) for key in self._vectors.keys(size))

    def _unequal(self, sources: Sequence[Source]) -> Iterator[str]:
        for some in _chunks(sources):
            wanted = [(each.key, self._embeddings(each)) for each in some]
            for size in self._dimensions:
                rows = self._rows.get(size, [key for key, _ in wanted])
                for key, embeddings in wanted:
                    if key not in rows or rows[key].embedding.tobytes() != embeddings[size].tobytes():
                        yield f"{size}: {key}"

    def _agreement(self, asked: Sequence[Source], scanned: Sequence[Source]) -> dict[int, float]:
        if not asked:
            return {}
        queries = nest(np.stack([self._embeddings(each)[FULL_DIMENSION] for each in asked]))
        similarities = {size: np.empty((len(asked), len(scanned)), np.float32) for size in self._dimensions}
        for start, some in zip(range(0, len(scanned), _TOGETHER), _chunks(scanned), strict=True):
            found = [self._embeddings(each) for each in some]
            for size in self._dimensions:
                rows = np.stack([each[size] for each in found])
                similarities[size][:, start : start + len(some)] = queries[size] @ rows.T
        keys = [each.key for each in scanned]
        return {
            size: float(np.mean([self._found(size, *pair, keys) for pair in zip(queries[size], scores, strict=True)]))
            for size, scores in similarities.items()
        }

    def _found(self, size: int, query: Embedding, scores: Embedding, keys: Sequence[str]) -> float:
        """Return how far the index's hits and what the scan ranks as high as the last of them are the same."""
        hits = self._vectors.query(size, query, top_k=TOP_K)
        last = hits[-1].similarity if len(hits) == TOP_K else -np.inf
        found = {hit.key for hit in hits}.intersection(keys)
        old = dict(zip(keys, scores.tolist(), strict=True))
        expected = {key for key, score in old.items() if score > last + _TIE}
        right = {key for key in found if old[key] > last - _TIE}
        return len(right) / len(found | expected) if found | expected else 1.0

    def _embeddings(self, source: Source) -> dict[int, Embedding]:
        """Return the embeddings of a segment as the placeholder has them, missing sizes from the largest."""
        found: dict[int, Embedding] = {}
        for each in self._journal.objects_of(source.asset, segment=source.segment):
            try:
                size = each.place.dimension
                found[size] = parse(self._placeholder.read(each.path), dimension=size).embedding
            except Damaged:  # it was, too, when the rest was moved: the report tells
                continue
        if FULL_DIMENSION not in found:
            raise Damaged(f"{source.asset} segment {source.segment} has changed since it was moved.", reason="missing")
        return nest(found[FULL_DIMENSION]) | found


def _chunks(sources: Sequence[Source]) -> Iterator[Sequence[Source]]:
    return (sources[start : start + _TOGETHER] for start in range(0, len(sources), _TOGETHER))
