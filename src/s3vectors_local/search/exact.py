"""The true neighbours of a few rows: what recall is measured against."""

from typing import Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Float32, Metric
from s3vectors_local.search.coarse import Slots

DEEPEST: Final = 100
"""How many neighbours are found."""
Near = tuple[Float32, Slots]
"""Distances and slots of at most 100 rows near each query, in any order."""


class Exact:
    """Finds the nearest other rows of some rows, while all rows pass by once."""

    def __init__(self, queries: Float32, own: Slots, *, metric: Metric) -> None:
        """Ask with rows, shape (n, d), that lie in slots of their own."""
        self._queries = queries
        self._own = own
        self._metric = metric
        self._distances = np.empty((len(queries), 0), np.float32)
        self._slots = np.empty((len(queries), 0), np.int64)

    def add(self, rows: Float32, norms: npt.NDArray[np.float64], slots: Slots) -> None:
        """Look at some rows."""
        self.keep(self.among(rows, norms, slots))

    def among(self, rows: Float32, norms: npt.NDArray[np.float64], slots: Slots) -> Near:
        """Return the nearest of some rows, to be kept: several threads may look at rows."""
        found = self._all_distances(rows, norms)
        found[self._own[:, None] == slots] = np.inf
        return _nearest(found, np.broadcast_to(slots, found.shape))

    def keep(self, near: Near) -> None:
        """Keep the nearest of these and of those before."""
        distances, slots = near
        self._distances, self._slots = _nearest(
            np.concatenate([self._distances, distances], axis=1), np.concatenate([self._slots, slots], axis=1)
        )

    def nearest(self) -> Slots:
        """Return the 100 nearest slots of each query, nearest first."""
        order = np.argsort(self._distances, axis=1, kind="stable")
        return np.take_along_axis(self._slots, order, 1)

    def _all_distances(self, rows: Float32, norms: npt.NDArray[np.float64]) -> Float32:
        # By one product of matrices: the order of near equals is of no interest here.
        products = self._queries @ rows.T
        if self._metric is Metric.COSINE:
            return np.negative(products / norms.astype(np.float32))
        return (norms**2).astype(np.float32) - 2 * products


def _nearest(distances: Float32, slots: Slots) -> Near:
    if distances.shape[1] <= DEEPEST:
        return distances, slots
    places = np.argpartition(distances, DEEPEST - 1, axis=1)[:, :DEEPEST]
    return np.take_along_axis(distances, places, 1), np.take_along_axis(slots, places, 1)
