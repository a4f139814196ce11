"""Words and meaning in one query."""

import math

from nestor.domain import Hit
from nestor.errors import InvalidInput, VectorsError
from nestor.ports import Spent, VectorSearch
from nestor.strategies.base import Asked, Ranking, Stages, plain
from nestor.strategies.refetch import fetch_all, measured

TEXT = "text"
"""The metadata that full-text search reads."""
_CHARACTERS = 1_024
"""Of one text in QueryVectors."""
_NOT_SEARCHABLE = "not configured for text search"
"""In the service's words for an index whose text nobody made searchable; the code is that of any wrong request."""


class Hybrid:
    """Ranks by the words and by the embedding, and fuses both: finds names, numbers and exact words, too.

    The index must have been made searchable by its text: `nestor setup` does that. A hit that the words alone found is
    measured by its embedding, so that every hit tells its similarity; that costs a request.
    """

    name = "hybrid"

    def __init__(self, vectors: VectorSearch) -> None:
        """Search these indexes."""
        self._vectors = vectors

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return that size."""
        return (dimension,)

    def search(self, asked: Asked) -> Ranking:
        """Return the best by the fused score. Raises InvalidInput for a question without words, VectorsError."""
        words = (asked.words or "").strip()
        if not words:
            raise InvalidInput("A hybrid search needs words: ask in words, or choose another strategy.")
        stages = Stages()
        with stages("vectors"):
            hits, spent = self._ranked(words, asked)
        with stages("fetch"):
            told, cost, by_words = self._told(hits, asked)
        return Ranking(
            hits=tuple(map(plain, told)),
            spent=spent + cost,
            candidates=len(hits),
            fallbacks=by_words,
            stages=stages.took,
        )

    def _ranked(self, words: str, asked: Asked) -> tuple[list[Hit], Spent]:
        try:
            return self._vectors.rank(
                asked.dimension,
                embedding=asked.prefix(),
                texts={TEXT: words[:_CHARACTERS]},
                top_k=asked.top_k,
                where=asked.where,
            )
        except VectorsError as error:
            if _NOT_SEARCHABLE not in str(error):
                raise
            raise VectorsError(
                f"The index of {asked.dimension} components cannot be searched by words yet: `nestor setup` makes that "
                "possible, once and for all.",
                code=error.code,
            ) from error

    def _told(self, hits: list[Hit], asked: Asked) -> tuple[list[Hit], Spent, int]:
        """Return the hits in their order, each with its distance, and how many had none."""
        without = [hit for hit in hits if math.isnan(hit.distance)]
        embeddings, spent = fetch_all(self._vectors, asked.dimension, [hit.key for hit in without])
        exact = {hit.key: hit for hit in measured(without, embeddings, asked)}
        return [exact.get(hit.key, hit) for hit in hits], spent, len(without)
