"""Candidates from a small index, put in order by their embeddings in a larger one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from nestor.domain import Embedding, Hit
from nestor.errors import VectorsError
from nestor.ports import Spent, VectorSearch
from nestor.strategies.base import CANDIDATES, COARSE, Asked, Ranking, Stages, best, check_funnel, plain


class Kept(Protocol):
    """Embeddings that were read before: see nestor.caches."""

    def get(self, dimension: int, hits: Sequence[Hit], asked: Asked, *, coarse: int) -> Mapping[str, Embedding]:
        """Return those that are still what the index holds."""
        ...

    def put(self, dimension: int, embeddings: Mapping[str, Embedding], hits: Sequence[Hit]) -> None:
        """Keep those of these hits."""
        ...


class Refetch:
    """Exact distances of the asked size for the nearest in a small index. Costs a GetVectors for each 100 of them."""

    name = "refetch"

    def __init__(
        self, vectors: VectorSearch, *, coarse: int = COARSE[0], candidates: int = CANDIDATES, kept: Kept | None = None
    ) -> None:
        """Take that many candidates from the index of `coarse` components. Raises InvalidInput."""
        check_funnel(coarse, candidates)
        self._vectors = vectors
        self._coarse = coarse
        self._candidates = candidates
        self._kept = kept

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return both sizes."""
        return tuple(dict.fromkeys((self._coarse, dimension)))

    def search(self, asked: Asked) -> Ranking:
        """Return the nearest candidates. Raises VectorsError for one that has no embedding of the asked size."""
        stages = Stages()
        wanted = max(self._candidates, asked.top_k)
        with stages("vectors"):
            hits, spent = self._vectors.rank(
                self._coarse, embedding=asked.prefix(self._coarse), top_k=wanted, where=asked.where
            )
        with stages("fetch"):
            known = self._kept.get(asked.dimension, hits, asked, coarse=self._coarse) if self._kept else {}
            fetched, cost = fetch_all(self._vectors, asked.dimension, [hit.key for hit in hits if hit.key not in known])
            if self._kept:
                self._kept.put(asked.dimension, fetched, hits)
        with stages("rerank"):
            ordered = best(measured(hits, {**known, **fetched}, asked), asked.top_k)
        return Ranking(hits=ordered, spent=spent + cost, candidates=len(hits), stages=stages.took)


def fetch_all(vectors: VectorSearch, dimension: int, keys: Sequence[str]) -> tuple[Mapping[str, Embedding], Spent]:
    """Return the embedding of every key. Raises VectorsError where one is missing: the sizes do not agree."""
    if not keys:
        return {}, Spent()
    found, spent = vectors.fetch(dimension, keys)
    if missing := [key for key in keys if key not in found]:
        raise VectorsError(
            f"{len(missing)} of {len(keys)} candidates are not in the index of {dimension} components, {missing[0]!r} "
            "first: it may be being written. If it stays so, ingest those files again.",
            code="SizesDiffer",
        )
    return found, spent


def measured(hits: Sequence[Hit], embeddings: Mapping[str, Embedding], asked: Asked) -> list[Hit]:
    """Return the hits with their exact distances at the asked size."""
    if not hits:
        return []
    rows = np.stack([embeddings[hit.key] for hit in hits])
    similarity = rows @ asked.prefix() / np.linalg.norm(rows, axis=1)
    return [replace(plain(hit), distance=1.0 - float(each)) for hit, each in zip(hits, similarity, strict=True)]
