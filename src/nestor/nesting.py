"""One nested (Matryoshka) embedding, several sizes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from nestor.domain import DIMENSIONS, Embedding
from nestor.errors import InvalidEmbedding


def nest(embedding: ArrayLike, dimensions: Iterable[int] = DIMENSIONS) -> dict[int, Embedding]:
    """Return the prefix of each asked size, renormalised to unit length in float32.

    Takes one embedding of shape (D,) or a batch of shape (n, D); each result has shape (d,) or (n, d).
    The prefix of a nested embedding is itself an embedding, but a shorter one than unit length: at 256 of 3072
    components the norm is near 0.3 to 0.4, so it must be renormalised.

    Raises InvalidEmbedding when a component is not finite, when a prefix is zero (it has no direction), or when a
    size is not between 1 and D.
    """
    with np.errstate(over="ignore"):  # what overflows float32 becomes infinite and is refused below
        full = np.asarray(embedding, dtype=np.float32)
    if full.ndim not in {1, 2}:
        raise InvalidEmbedding(f"An embedding has one dimension, a batch two; this has shape {full.shape}.")
    if not np.isfinite(full).all():
        raise InvalidEmbedding("The embedding has components that are NaN or infinite.")
    return {dimension: _unit_prefix(full, dimension) for dimension in dimensions}


def _unit_prefix(full: Embedding, dimension: int) -> Embedding:
    length = full.shape[-1]
    if not 1 <= dimension <= length:
        raise InvalidEmbedding(f"Cannot take {dimension} components of an embedding that has {length}.")
    # float64 for the norm: the squares of float32 subnormals vanish in float32.
    prefix = full[..., :dimension].astype(np.float64)
    norms = np.linalg.norm(prefix, axis=-1, keepdims=True)
    if not norms.all():
        raise InvalidEmbedding(f"The first {dimension} components are all zero: that prefix has no direction.")
    unit: Embedding = (prefix / norms).astype(np.float32)
    return unit
