"""Embeddings of questions in a DynamoDB table, which every copy of a function finds."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nestor.domain import FULL_DIMENSION, Embedding
from nestor.errors import QuestionsUnavailable

_DAY = 86_400
_FLOAT = np.dtype("<f4")


def client_config() -> Config:
    """Return a botocore Config for the client: an embedding is sooner made anew than waited for."""
    return Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})


class QuestionTable:
    """By a digest: the words themselves are not kept. Raises QuestionsUnavailable.

    An item is `question` (the digest), `embedding` (float32, little-endian) and `expires` (epoch seconds).
    """

    def __init__(self, client: Any, *, table: str, days: int, clock: Callable[[], float] = time.time) -> None:
        """Keep each embedding for so many days in this table, through a `dynamodb` client."""
        self._client = client
        self._table = table
        self._seconds = days * _DAY
        self._clock = clock

    def get(self, key: bytes) -> "Embedding | None":
        """Return the embedding, None when there is none."""
        item = self._call("get_item", Key={"question": {"B": key}}).get("Item")
        # DynamoDB removes what has expired within some days only.
        if item is None or int(item["expires"]["N"]) <= self._clock():
            return None
        embedding = np.frombuffer(item["embedding"]["B"], _FLOAT).astype(np.float32)
        return embedding if embedding.shape == (FULL_DIMENSION,) else None

    def put(self, key: bytes, embedding: Embedding) -> None:
        """Keep it."""
        self._call(
            "put_item",
            Item={
                "question": {"B": key},
                "embedding": {"B": embedding.astype(_FLOAT).tobytes()},
                "expires": {"N": str(int(self._clock()) + self._seconds)},
            },
        )

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(TableName=self._table, **params)
        except (BotoCoreError, ClientError) as error:
            raise QuestionsUnavailable(f"{operation} of the table {self._table} failed: {error}") from error
        return answer
