"""A full embedding as a short text that fits beside a smaller one: a scale and a whole number a component; pure.

The text is base64 of 4 bytes (the scale, float32, little-endian) and one int8 a component: 4,104 characters for 3,072.
Each component is off by at most half the scale, so that similarities are off by some ten-thousandths.
"""

import base64
import binascii
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nestor.domain import FULL_DIMENSION, Embedding

SIZES = (256, 384)
"""The indexes whose rows carry codes: those that candidates come from."""

_SCALE = np.dtype("<f4")
_MOST = 127
_BYTES = _SCALE.itemsize + FULL_DIMENSION


def encode(embeddings: Embedding) -> list[str]:
    """Return the code of each row, shape (n, 3072); no row may be zero."""
    scales = np.abs(embeddings).max(axis=1, keepdims=True).astype(_SCALE) / np.float32(_MOST)
    steps = np.rint(embeddings / scales).astype(np.int8)
    return [
        base64.b64encode(scale.tobytes() + row.tobytes()).decode() for scale, row in zip(scales, steps, strict=True)
    ]


def raw(code: object) -> bytes | None:
    """Return the bytes of a code, None for anything that is no code of a full embedding."""
    if not isinstance(code, str):
        return None
    try:
        content = base64.b64decode(code, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if len(content) == _BYTES and any(content[_SCALE.itemsize :]) else None


def decode(raws: Sequence[bytes]) -> Embedding:
    """Return about the embeddings that these bytes are the codes of, shape (n, 3072)."""
    table = _table(raws)
    scales: Embedding = table[:, : _SCALE.itemsize].copy().view(_SCALE)
    return scales * _steps(table, FULL_DIMENSION)


def similarities(raws: Sequence[bytes], embedding: Embedding) -> Embedding:
    """Return about the cosine similarity of each coded embedding's prefix with a unit embedding of shape (d,)."""
    steps = _steps(_table(raws), len(embedding))
    lengths = np.sqrt(np.einsum("ij,ij->i", steps, steps))
    # A prefix of zeros has no direction: no similarity.
    found: Embedding = np.divide(steps @ embedding, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return found


def _table(raws: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(raws), np.uint8).reshape(-1, _BYTES)


def _steps(table: NDArray[np.uint8], dimension: int) -> Embedding:
    start = _SCALE.itemsize
    return table[:, start : start + dimension].view(np.int8).astype(np.float32)
