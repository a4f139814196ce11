"""The segments of one asset, as the index tells them."""

import math

import numpy as np

from nestor.domain import Hit, Manifest
from nestor.ports import Vectors


class Segments:
    """Reads what is stored beside the vectors of an asset."""

    def __init__(self, vectors: Vectors) -> None:
        """Read from these indexes."""
        self._vectors = vectors

    def of(self, manifest: Manifest, *, first: int = 0, count: int = 100) -> list[Hit]:
        """Return at most `count` segments from that one on, in order, with their metadata; refused ones are missing.

        Their distances mean nothing. Raises VectorsError.
        """
        if not manifest.dimensions or first >= manifest.segments or count < 1:
            return []
        # The largest index: what gives way to a code in the small ones is the text.
        return self._read(max(manifest.dimensions), manifest.object_id, first, count)

    def one(self, key: str, *, dimension: int) -> Hit | None:
        """Return the segment of that key as the index tells it, None where there is none. Raises VectorsError."""
        object_id, _, number = key.rpartition("_segment_")
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            return None
        found = self._read(dimension, object_id, int(number), 1)
        return next((hit for hit in found if hit.key == key), None)

    def _read(self, dimension: int, object_id: str, first: int, count: int) -> list[Hit]:
        # Any question will do, for the filter decides: one query gives metadata without embeddings.
        anything = np.full(dimension, 1 / math.sqrt(dimension), np.float32)
        where = {
            "$and": [
                {"object_id": {"$eq": object_id}},
                {"segment_index": {"$gte": first}},
                {"segment_index": {"$lt": first + count}},
            ]
        }
        hits = self._vectors.query(dimension, anything, top_k=count, where=where)
        return sorted(hits, key=lambda hit: int(str(hit.metadata["segment_index"])))
