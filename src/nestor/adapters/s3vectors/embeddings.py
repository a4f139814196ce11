"""The embeddings themselves, by key."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nestor.adapters.s3vectors.calls import Calls
from nestor.adapters.s3vectors.indexes import index_name
from nestor.adapters.s3vectors.limits import GET_KEYS
from nestor.domain import Embedding


class S3Embeddings:
    """Reads from the indexes of one bucket; raises VectorsError."""

    def __init__(self, client: Any, *, bucket: str) -> None:
        """Speak to this bucket through this `s3vectors` client."""
        self._calls = Calls(client)
        self._bucket = bucket

    def get(self, dimension: int, keys: Sequence[str]) -> Mapping[str, Embedding]:
        """Return the embeddings of the keys, absent ones left out."""
        found: dict[str, Embedding] = {}
        for start in range(0, len(keys), GET_KEYS):
            vectors = self._calls.get(
                "get_vectors",
                "vectors",
                vectorBucketName=self._bucket,
                indexName=index_name(dimension),
                keys=list(keys[start : start + GET_KEYS]),
                returnData=True,
            )
            found |= {vector["key"]: np.asarray(vector["data"]["float32"], np.float32) for vector in vectors}
        return found
