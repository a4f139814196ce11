"""Rows by key: embeddings, and with their metadata."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nestor.adapters.s3vectors.calls import Calls
from nestor.adapters.s3vectors.indexes import index_name
from nestor.adapters.s3vectors.limits import GET_KEYS
from nestor.adapters.s3vectors.wire import install
from nestor.domain import Embedding
from nestor.ports import VectorRow


class S3Rows:
    """Reads from the indexes of one bucket; raises VectorsError. Threads may share it."""

    def __init__(self, client: Any, *, bucket: str) -> None:
        """Speak to this bucket through this `s3vectors` client, and give the client the fast wire."""
        install(client)
        self._calls = Calls(client)
        self._bucket = bucket

    def get(self, dimension: int, keys: Sequence[str]) -> Mapping[str, VectorRow]:
        """Return the rows of the keys, absent ones left out."""
        return {vector["key"]: row_of(vector) for vector in self._vectors(dimension, keys, returnMetadata=True)}

    def embeddings(self, dimension: int, keys: Sequence[str]) -> Mapping[str, Embedding]:
        """Return the embeddings of the keys, absent ones left out."""
        return {vector["key"]: row_of(vector).embedding for vector in self._vectors(dimension, keys)}

    def _vectors(self, dimension: int, keys: Sequence[str], **more: bool) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(keys), GET_KEYS):
            yield from self._calls.get(
                "get_vectors",
                "vectors",
                vectorBucketName=self._bucket,
                indexName=index_name(dimension),
                keys=list(keys[start : start + GET_KEYS]),
                returnData=True,
                **more,
            )


def row_of(vector: Mapping[str, Any]) -> VectorRow:
    """Return the row that a client answered."""
    return VectorRow(vector["key"], np.asarray(vector["data"]["float32"], np.float32), vector.get("metadata", {}))
