"""Distances of one query to many float32 rows, by NumPy alone.

Cosine is 1 - cos, from 0 to 2. Euclidean is squared, as the service returns it.
"""

import numpy as np

from s3vectors_local.model import Float32, Metric

_FLOAT32_MAX = np.float32(np.finfo(np.float32).max)
_BLOCK_COMPONENTS = 1 << 20  # 4 MB of differences at a time: they stay in the cache


def prepared(rows: Float32, *, metric: Metric) -> Float32:
    """Return the rows as `distances` wants them: of unit length for cosine, as they are for euclidean."""
    if metric is Metric.EUCLIDEAN or not rows.size:
        return rows
    # In float64, so that neither the largest float32 overflows nor the smallest vanishes.
    unit = np.empty_like(rows)
    step = max(1, _BLOCK_COMPONENTS // rows.shape[1])
    for start in range(0, len(rows), step):
        block = rows[start : start + step].astype(np.float64)
        unit[start : start + step] = block / np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
    return unit


def distances(rows: Float32, query: Float32, *, metric: Metric) -> Float32:
    """Return the distance of each prepared row, shape (n, d), to the prepared query, shape (d,)."""
    if metric is Metric.COSINE:
        result = rows @ query
        np.subtract(np.float32(1), result, out=result)
        return np.clip(result, 0, 2, out=result)
    return _squared(rows, query)


def _squared(rows: Float32, query: Float32) -> Float32:
    # Differences, not |a|^2 - 2ab + |b|^2: that one loses every digit for rows near each other.
    result = np.empty(len(rows), dtype=np.float32)
    step = max(1, _BLOCK_COMPONENTS // max(1, query.size))
    with np.errstate(over="ignore"):
        for start in range(0, len(rows), step):
            block = rows[start : start + step] - query
            np.einsum("ij,ij->i", block, block, out=result[start : start + step])
    return np.minimum(result, _FLOAT32_MAX, out=result)  # JSON has no infinity


def nearest(distances_: Float32, k: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the places of the k smallest, nearest first; of equal ones the first in place comes first."""
    if k < len(distances_):
        bound = np.partition(distances_, k - 1)[k - 1]
        places = np.flatnonzero(distances_ <= bound)
    else:
        places = np.arange(len(distances_))
    return places[np.argsort(distances_[places], kind="stable")][:k]
