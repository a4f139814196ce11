"""The old way: every embedding of the placeholder read and compared, one by one."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nestor.domain import Embedding, Hit, Metadata
from nestor.errors import ObjectMissing
from nestor.ports import Spent
from nestor.strategies.base import Asked, Ranking, Stages
from nestor.strategies.matching import predicate


@dataclass(frozen=True, slots=True)
class Stored:
    """One embedding of the placeholder, by our names."""

    key: str
    embedding: Embedding
    metadata: Metadata
    size_bytes: int


class Placeholder(Protocol):
    """The objects that hold embeddings."""

    def rows(self, dimension: int) -> Iterator[Stored]:
        """Yield every embedding of that size. Raises what makes the answer incomplete."""
        ...


class Manual:
    """Reads everything for every question: the way back, not a way to grow. Exact, and a request a segment."""

    name = "manual"

    def __init__(self, placeholder: Placeholder) -> None:
        """Scan these."""
        self._placeholder = placeholder

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return none: no index is read."""
        del dimension
        return ()

    def search(self, asked: Asked) -> Ranking:
        """Return the nearest of all. Raises ObjectsError, and InvalidInput for a filter that cannot be read."""
        stages = Stages()
        matches = predicate(asked.where)
        question = asked.prefix()
        nearest: list[tuple[float, int, Hit]] = []
        requests = bytes_ = 0
        with stages("scan"):
            for row in self._rows(asked.dimension):
                requests += 1
                bytes_ += row.size_bytes
                if not matches(row.metadata):
                    continue
                distance = 1.0 - float(row.embedding @ question / np.linalg.norm(row.embedding))
                entry = (-distance, -requests, Hit(row.key, distance, row.metadata))
                (heapq.heappush if len(nearest) < asked.top_k else heapq.heappushpop)(nearest, entry)
        hits = tuple(hit for _, _, hit in sorted(nearest, reverse=True))
        return Ranking(hits=hits, spent=Spent(requests, bytes_), candidates=requests, stages=stages.took)

    def _rows(self, dimension: int) -> Iterator[Stored]:
        try:
            yield from self._placeholder.rows(dimension)
        except ObjectMissing as error:
            raise ObjectMissing(
                f"{error} That is the placeholder of the manual strategy: the strategy `direct` asks the indexes in "
                "place of it, `nestor rollback` writes it again, and `nestor migrate` ends its use.",
                code=error.code,
            ) from error
