"""Distances of one query to many float32 rows, summed in float64 by numkong, so they do not depend on how rows lie.

Cosine is 1 - cos, from 0 to 2. Euclidean is squared, as the service returns it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Float32, Metric

_FLOAT32_MAX = float(np.finfo(np.float32).max)


def distances(rows: Float32, norms: npt.NDArray[np.float64], query: Float32, *, metric: Metric) -> Float32:
    """Return the distance of each row, shape (n, d), of these lengths, to the query, shape (d,)."""
    import numkong

    if not len(rows):
        return np.empty(0, np.float32)
    if metric is Metric.EUCLIDEAN:
        # Differences, not |a|^2 - 2ab + |b|^2: that one loses every digit for rows near each other.
        squared = _float64(numkong.cdist(query[None], rows, "sqeuclidean"))[0]
        found: Float32 = np.minimum(squared, _FLOAT32_MAX).astype(np.float32)  # JSON has no infinity
        return found
    cosines = _float64(numkong.dots_packed(rows, numkong.dots_pack(query[None])))[:, 0]
    cosines /= norms * float(np.linalg.norm(query.astype(np.float64)))
    return np.clip(1 - cosines, 0, 2).astype(np.float32)


def _float64(found: Any) -> npt.NDArray[np.float64]:
    return np.asarray(found, np.float64)
