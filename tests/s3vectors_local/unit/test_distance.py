import numpy as np
import pytest

from s3vectors_local.distance import distances, nearest, prepared
from s3vectors_local.model import Float32, Metric

MAX = float(np.finfo(np.float32).max)


def _distance(row: list[float], query: list[float], metric: Metric) -> float:
    both = prepared(np.array([row, query], np.float32), metric=metric)
    return float(distances(both[:1], both[1], metric=metric)[0])


def test_cosine() -> None:
    """Cosine distance is 1 - cos: 0 for the same direction, 1 across, 2 for the opposite."""
    assert _distance([1, 1], [3, 3], Metric.COSINE) == pytest.approx(0, abs=1e-6)
    assert _distance([1, 0], [0, 2], Metric.COSINE) == pytest.approx(1, abs=1e-6)
    assert _distance([1, 1], [-1, -1], Metric.COSINE) == pytest.approx(2, abs=1e-6)


def test_euclidean_is_squared() -> None:
    """Euclidean distance comes squared, as the service gives it."""
    assert _distance([1, 1, 1], [2, 2, 2], Metric.EUCLIDEAN) == 3


def test_extremes_of_float32() -> None:
    """Neither the largest float32 nor the smallest breaks a distance."""
    assert _distance([MAX, 0], [MAX, 0], Metric.COSINE) == pytest.approx(0, abs=1e-6)
    assert _distance([1.5e-45, 0], [0, 1.5e-45], Metric.COSINE) == pytest.approx(1, abs=1e-6)
    assert _distance([MAX, 0], [-MAX, 0], Metric.EUCLIDEAN) == np.float32(MAX)


@pytest.mark.parametrize("metric", list(Metric))
def test_against_float64(metric: Metric) -> None:
    """Distances of many rows agree with float64 arithmetic, over more rows than one block."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((5000, 300)).astype(np.float32)
    query = rng.standard_normal(300).astype(np.float32)
    exact = rows.astype(np.float64), query.astype(np.float64)
    ready = prepared(rows, metric=metric), prepared(query[None], metric=metric)[0]
    np.testing.assert_allclose(distances(*ready, metric=metric), _oracle(*exact, metric), rtol=1e-4, atol=1e-5)


def test_nearest() -> None:
    """The k smallest come nearest first, and of equal ones the first in place comes first."""
    found: Float32 = np.array([3, 1, 2, 1, 1], np.float32)
    assert nearest(found, 2).tolist() == [1, 3]
    assert nearest(found, 4).tolist() == [1, 3, 4, 2]
    assert nearest(found, 99).tolist() == [1, 3, 4, 2, 0]
    assert nearest(np.empty(0, np.float32), 3).tolist() == []
    assert nearest(np.ones(5000, np.float32), 3000).tolist() == list(range(3000))


def _oracle(rows: np.ndarray, query: np.ndarray, metric: Metric) -> np.ndarray:
    if metric is Metric.EUCLIDEAN:
        return np.asarray(((rows - query) ** 2).sum(axis=1))
    return np.asarray(1 - (rows @ query) / (np.linalg.norm(rows, axis=1) * np.linalg.norm(query)))
