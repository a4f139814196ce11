"""Embeddings of candidates that were read before."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import orjson

from nestor.caches.bounded import Bounded, Rate
from nestor.domain import Embedding, Hit
from nestor.nesting import nest
from nestor.strategies.base import Asked

ROUNDING = 1e-5
"""Two distances of one row this close are equal: float32 sums in another order differ by as much."""


class KeptEmbeddings:
    """Embeddings of candidates that `refetch` read before.

    One is used only while the index tells of that key what it told when the embedding was read, the code of all
    components and the time of the upload among it, and while its prefix is as far from the question as the index says:
    after the row was written anew, by whomever, one of them differs and it is read again.
    """

    def __init__(self, most_bytes: int = 256 << 20) -> None:
        """Begin empty."""
        self._memory: Bounded[tuple[Embedding, bytes]] = Bounded(most_bytes)

    @property
    def rate(self) -> Rate:
        """How often an embedding was there."""
        return self._memory.rate

    def get(self, dimension: int, hits: Sequence[Hit], asked: Asked, *, coarse: int) -> Mapping[str, Embedding]:
        """Return those that are still what the index holds."""
        known = dict(self._known(dimension, hits))
        if not known:
            return {}
        prefixes = nest(np.stack(list(known.values())), [coarse])[coarse]
        distances = dict(zip(known, 1.0 - prefixes @ asked.prefix(coarse), strict=True))
        current = {hit.key for hit in hits if hit.key in known and abs(distances[hit.key] - hit.distance) < ROUNDING}
        for key in known.keys() - current:
            self._memory.drop((dimension, key))
        return {key: found for key, found in known.items() if key in current}

    def put(self, dimension: int, embeddings: Mapping[str, Embedding], hits: Sequence[Hit]) -> None:
        """Keep those of these hits."""
        for hit in hits:
            if (embedding := embeddings.get(hit.key)) is not None:
                self._memory.put((dimension, hit.key), (embedding, _told(hit)), size=embedding.nbytes)

    def _known(self, dimension: int, hits: Sequence[Hit]) -> Iterator[tuple[str, Embedding]]:
        for hit in hits:
            if (kept := self._memory.get((dimension, hit.key))) is None:
                continue
            embedding, told = kept
            if told == _told(hit):
                yield hit.key, embedding
            else:
                self._memory.drop((dimension, hit.key))


def _told(hit: Hit) -> bytes:
    """Return what tells this metadata from any other."""
    content = orjson.dumps(dict(hit.metadata), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).digest()
