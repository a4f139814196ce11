"""Lists of rows that lie near each other, so that a query scans a few of them (an inverted file, by k-means)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Float32
from s3vectors_local.search.codes import Codes, narrowed, quantised

_ROUNDS: Final = 6
_TRAINING: Final = 40  # rows a list learns from
_SCAN: Final = 8_192  # below so many rows one list, scanned as a whole
_LIST: Final = 100  # rows of a list: scanning them costs about what finding them does
_LISTS: Final = 4_096
_BLOCK: Final = 512  # rows at a time: their products with all centres should stay in the cache
Lists = npt.NDArray[np.int32]


class Each(Protocol):
    """What does some work for each item and returns the results in their order, as `map` does: threads may share it."""

    def __call__(self, work: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
        """Do it."""


def lists_for(rows: int) -> int:
    """Return into how many lists so many rows are parted."""
    return 1 if rows < _SCAN else min(_LISTS, rows // _LIST)


def centroids(reduced: Float32, lists: int, *, seed: int = 0, each: Each = map) -> Codes:
    """Return the centres of the lists, learned from some of the reduced rows, shape (n, width)."""
    generator = np.random.default_rng(seed)
    count = min(len(reduced), lists * _TRAINING)
    sample = reduced[np.sort(generator.choice(len(reduced), count, replace=False))]
    rows = quantised(sample, np.zeros(count, np.float32))
    means = sample[generator.choice(count, lists, replace=False)]
    for _ in range(_ROUNDS if lists > 1 else 1):
        nearest = assigned(rows, centres(means), each=each)
        means, empty = _means(sample, nearest, lists)
        means[empty] = sample[generator.choice(count, int(empty.sum()), replace=False)]
    return centres(means)


def centres(means: Float32) -> Codes:
    """Return means as codes, with half the squares of their lengths as penalties."""
    return quantised(means, narrowed(np.einsum("ij,ij->i", means, means, dtype=np.float64) / 2))


def assigned(rows: Codes, to: Codes, *, each: Each = map) -> Lists:
    """Return the nearest centre of each row."""
    import numkong

    packed = numkong.dots_pack(to.values)
    scales = to.scales.astype(np.float64)

    def nearest(start: int) -> Lists:
        part = rows[start : start + _BLOCK]
        # nearest: largest product minus half the square of the centre's length, here divided by the scale of the row
        nearness = np.asarray(numkong.dots_packed(part.values, packed)) * scales
        nearness -= to.penalties / np.where(part.scales > 0, part.scales, 1).astype(np.float64)[:, None]
        found: Lists = nearness.argmax(axis=1).astype(np.int32)
        return found

    return np.concatenate([np.empty(0, np.int32), *each(nearest, range(0, len(rows), _BLOCK))])


def _means(rows: Float32, lists: Lists, count: int) -> tuple[Float32, npt.NDArray[np.bool_]]:
    """Return the mean row of each list, and which lists are empty."""
    counts = np.bincount(lists, minlength=count)
    shares = rows[np.argsort(lists, kind="stable")]
    shares /= np.repeat(counts, counts)[:, None]  # before they are summed: so no sum is too large for float32
    filled = counts > 0
    means = np.zeros((count, rows.shape[1]), np.float32)
    means[filled] = np.add.reduceat(shares, (np.cumsum(counts) - counts)[filled], axis=0)
    return means, ~filled
