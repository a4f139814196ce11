"""Whole rows by key: embedding and metadata."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nestor.adapters.s3vectors.calls import Calls
from nestor.adapters.s3vectors.indexes import index_name
from nestor.ports import VectorRow

_KEYS = 100
"""Of one GetVectors."""


class S3Rows:
    """Reads from the indexes of one bucket; raises VectorsError. Threads may share it."""

    def __init__(self, client: Any, *, bucket: str) -> None:
        """Speak to this bucket through this `s3vectors` client."""
        self._calls = Calls(client)
        self._bucket = bucket

    def get(self, dimension: int, keys: Sequence[str]) -> Mapping[str, VectorRow]:
        """Return the rows of the keys, absent ones left out."""
        found: dict[str, VectorRow] = {}
        for start in range(0, len(keys), _KEYS):
            vectors = self._calls.get(
                "get_vectors",
                "vectors",
                vectorBucketName=self._bucket,
                indexName=index_name(dimension),
                keys=list(keys[start : start + _KEYS]),
                returnData=True,
                returnMetadata=True,
            )
            for vector in vectors:
                embedding = np.asarray(vector["data"]["float32"], np.float32)
                found[vector["key"]] = VectorRow(vector["key"], embedding, vector.get("metadata", {}))
        return found
