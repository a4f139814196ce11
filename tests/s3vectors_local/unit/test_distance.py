"""Distances are those of float64, rounded once, wherever the rows lie."""

from typing import Any

import numpy as np
import pytest

from s3vectors_local.distance import distances
from s3vectors_local.model import Float32, Metric
from s3vectors_local.storage import slab

MAX = float(np.finfo(np.float32).max)
SMALLEST = 1e-45
METRICS = pytest.mark.parametrize("metric", list(Metric))


def _lengths(rows: Float32) -> Any:
    return np.linalg.norm(rows.astype(np.float64), axis=1)


def _distance(row: list[float], query: list[float], metric: Metric) -> float:
    rows = np.array([row], np.float32)
    return float(distances(rows, _lengths(rows), np.array(query, np.float32), metric=metric)[0])


def _oracle(rows: Float32, query: Float32, metric: Metric) -> Any:
    wide, asked = rows.astype(np.float64), query.astype(np.float64)
    if metric is Metric.EUCLIDEAN:
        return np.minimum(((wide - asked) ** 2).sum(axis=1), MAX)
    return np.clip(1 - wide @ asked / (np.linalg.norm(wide, axis=1) * np.linalg.norm(asked)), 0, 2)


def test_cosine() -> None:
    """Cosine distance is 1 - cos: 0 for the same direction, 1 across, 2 for the opposite."""
    assert _distance([1, 1], [3, 3], Metric.COSINE) == 0
    assert _distance([1, 0], [0, 2], Metric.COSINE) == 1
    assert _distance([1, 1], [-1, -1], Metric.COSINE) == 2


def test_euclidean_is_squared() -> None:
    """Euclidean distance comes squared, as the service gives it."""
    assert _distance([1, 1, 1], [2, 2, 2], Metric.EUCLIDEAN) == 3


def test_extremes_of_float32() -> None:
    """Neither the largest float32 nor the smallest breaks a distance; one beyond float32 is its largest."""
    assert _distance([MAX, 0], [MAX, 0], Metric.COSINE) == 0
    assert _distance([MAX] * 4096, [MAX] * 4096, Metric.COSINE) == pytest.approx(0, abs=1e-12)
    assert _distance([SMALLEST, 0], [0, SMALLEST], Metric.COSINE) == 1
    assert _distance([SMALLEST], [-MAX], Metric.COSINE) == 2
    assert _distance([MAX, 0], [-MAX, 0], Metric.EUCLIDEAN) == MAX
    assert _distance([SMALLEST], [-SMALLEST], Metric.EUCLIDEAN) == 0


def test_near_rows_far_from_zero() -> None:
    """The distance of two neighbours is right to the last digit, however long both are."""
    assert _distance([10_000_001, 5], [10_000_000, 5], Metric.EUCLIDEAN) == 1
    assert _distance([1, 1e-4], [1, 0], Metric.COSINE) == pytest.approx(5e-9, rel=1e-6)


def test_no_rows() -> None:
    """Of nothing there are no distances."""
    none = np.empty((0, 3), np.float32)
    for metric in Metric:
        assert distances(none, np.empty(0), np.ones(3, np.float32), metric=metric).shape == (0,)


@METRICS
@pytest.mark.parametrize("scale", [1, 1e38, 1e19, 1e-20, 1e-38, 1e-44])
def test_against_float64(metric: Metric, scale: float) -> None:
    """For every dimension and size of numbers a distance is that of float64 arithmetic, to the precision of float32."""
    draw = np.random.default_rng(3)
    for dimension in (*range(1, 70), 127, 255, 256, 257, 383, 384, 385, 1023, 1024, 1536, 3071, 3072, 4095, 4096):
        rows, query = (
            np.clip(draw.standard_normal(shape) * scale, -MAX, MAX).astype(np.float32)
            for shape in ((5, dimension), dimension)
        )
        rows[~rows.any(axis=1)] = SMALLEST
        query[0] = query[0] or SMALLEST
        found = distances(rows, _lengths(rows), query, metric=metric)
        np.testing.assert_allclose(found, _oracle(rows, query, metric), rtol=6e-8, atol=1e-45 if scale < 1 else 3e-8)


@METRICS
@pytest.mark.parametrize("dimension", [1, 3, 64, 1000, 3072])
def test_the_same_wherever_rows_lie(metric: Metric, dimension: int) -> None:
    """Rows in a slab, side by side, alone, copied or in another order: each has the same distance, to the last bit."""
    draw = np.random.default_rng(4)
    data = draw.standard_normal((700, dimension)).astype(np.float32)
    query = draw.standard_normal(dimension).astype(np.float32)
    rows = slab.rows(list(data), list(range(700)), dimension=dimension)
    found = distances(rows["data"], rows["norm"], query, metric=metric)
    np.testing.assert_allclose(found, _oracle(data, query, metric), rtol=6e-8, atol=3e-8)
    np.testing.assert_array_equal(distances(data, rows["norm"], query, metric=metric), found)
    order = draw.permutation(700)
    np.testing.assert_array_equal(distances(data[order], rows["norm"][order], query, metric=metric), found[order])
    for start, end in ((0, 1), (13, 14), (699, 700), (5, 38), (600, 700)):
        part = rows[start:end]
        np.testing.assert_array_equal(distances(part["data"], part["norm"], query, metric=metric), found[start:end])
        taken = rows.take(np.arange(start, end))
        np.testing.assert_array_equal(distances(taken["data"], taken["norm"], query, metric=metric), found[start:end])
