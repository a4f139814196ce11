"""Embeddings of candidates that were read before."""

from collections.abc import Mapping, Sequence

import numpy as np

from nestor.caches.bounded import Bounded, Rate
from nestor.domain import Embedding, Hit
from nestor.nesting import nest
from nestor.strategies.base import Asked

ROUNDING = 1e-5
"""Two distances of one row this close are equal: float32 sums in another order differ by as much."""


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
