"""What the model answers to one synchronous call; pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from nestor.domain import FULL_DIMENSION, Embedding
from nestor.errors import EmbeddingFailed


@dataclass(frozen=True, slots=True)
class Answered:
    """The embedding of one text or medium."""

    embedding: Embedding
    """Shape (d,), of unit length."""
    truncated: int | None = None
    """Characters after which the text was cut; None when all of it was read."""


def embedding_of(body: bytes, wanted: str = "", *, dimension: int = FULL_DIMENSION) -> Answered:
    """Return the embedding of the wanted `embeddingType`, such as TEXT; without one, the only embedding there is.

    A body holds several where the tracks of a video are embedded apart, in no promised order. Raises EmbeddingFailed
    when it is not there or not an embedding of that many components.
    """
    entries = _entries(body)
    chosen = [entry for entry in entries if not wanted or entry.get("embeddingType") == wanted]
    if len(chosen) != 1:
        kinds = ", ".join(str(entry.get("embeddingType")) for entry in entries) or "nothing"
        raise EmbeddingFailed(f"The model answered with {kinds}, where one {wanted or 'embedding'} was asked for.")
    cut = chosen[0].get("truncatedCharLength")
    return Answered(_unit(chosen[0].get("embedding"), dimension), None if cut is None else int(cut))


def _entries(body: bytes) -> list[dict[str, Any]]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EmbeddingFailed(f"The model answered with what is no JSON ({error}).") from error
    entries = document.get("embeddings") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise EmbeddingFailed("The model answered without `embeddings`: is it Nova Multimodal Embeddings?")
    return entries


def _unit(numbers: Any, dimension: int) -> Embedding:
    try:
        row = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmbeddingFailed("The model answered with an embedding that is no list of numbers.") from error
    if row.shape != (dimension,) or not np.isfinite(row).all() or not row.any():
        raise EmbeddingFailed(f"The model answered with an embedding of shape {row.shape} that cannot be used.")
    unit: Embedding = (row / np.linalg.norm(row)).astype(np.float32)
    return unit
