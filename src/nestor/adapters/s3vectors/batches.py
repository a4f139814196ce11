"""Rows to PutVectors requests, within the limits of one request; pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nestor.adapters.s3vectors.limits import BODY_BYTES, ROWS, check_row
from nestor.adapters.s3vectors.wire import Floats, encode
from nestor.domain import Embedding
from nestor.errors import InvalidEmbedding
from nestor.ports import VectorRow

_ENVELOPE = 1_024
"""More than the bytes of a body around its rows: two names of at most 63 letters, the member names."""


def last_of_each_key(rows: Iterable[VectorRow]) -> list[VectorRow]:
    """Return the rows without those that a later one of equal key replaces, in the order of first appearance."""
    return list({row.key: row for row in rows}.values())


def check_rows(rows: Iterable[VectorRow], *, dimension: int) -> None:
    """Raise InvalidInput or InvalidEmbedding, naming the key, for the first row that the service would refuse."""
    for row in rows:
        check_row(row.key, row.metadata)
        check_embedding(row.embedding, dimension=dimension, name=f"of key {row.key!r}")


def check_embedding(embedding: Embedding, *, dimension: int, name: str) -> None:
    """Raise InvalidEmbedding unless it has that many components, all finite and not all zero."""
    if embedding.shape != (dimension,):
        raise InvalidEmbedding(f"The embedding {name} has the shape {embedding.shape}; the index takes {(dimension,)}.")
    if not np.isfinite(embedding).all():
        raise InvalidEmbedding(f"The embedding {name} has a component that is NaN or infinite.")
    if not embedding.any():
        raise InvalidEmbedding(f"The embedding {name} is all zero, which has no direction to compare.")


def batches(rows: Iterable[VectorRow], *, most: int = ROWS, room: int = BODY_BYTES) -> Iterator[list[dict[str, Any]]]:
    """Yield the members `vectors` of as many requests as it takes, in order, the numbers written already.

    None has more than `most` rows, nor a body of more than `room` bytes unless a single row is larger than that.
    """
    batch: list[dict[str, Any]] = []
    size = _ENVELOPE
    for row in rows:
        vector, bytes_ = _vector(row)
        if batch and (len(batch) == most or size + bytes_ > room):
            yield batch
            batch, size = [], _ENVELOPE
        batch.append(vector)
        size += bytes_
    if batch:
        yield batch


def chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    """Yield the keys, each once, in lists of at most 500."""
    once = list(dict.fromkeys(keys))
    return (once[start : start + ROWS] for start in range(0, len(once), ROWS))


def _vector(row: VectorRow) -> tuple[dict[str, Any], int]:
    """Return the row as the client takes it, and its bytes in a body, the comma and the space after it included."""
    rest = {"key": row.key, "metadata": dict(row.metadata)}
    floats: Floats = encode(row.embedding)
    around = len(json.dumps(rest | {"data": {"float32": 0}}))  # as botocore writes it
    return rest | {"data": {"float32": floats}}, around - 1 + len(floats.json) + 2
