"""Tuning: the depths that were measured reach what they promise, on queries that were not in the sample."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s3vectors_local.distance import distances
from s3vectors_local.model import Float32, Metric
from s3vectors_local.search.coarse import Coarse, Depth, best
from s3vectors_local.search.exact import Exact
from s3vectors_local.search.tuning import TARGET, Filtered, tuned
from s3vectors_local.storage.slab import Rows

K = 10


def _tuned(coarse: Coarse, rows: Rows, metric: Metric, own: Any) -> Coarse:
    exact = Exact(rows["data"][own], own, metric=metric)
    for start in range(0, len(rows), 900):
        part = rows[start : start + 900]
        exact.add(np.ascontiguousarray(part["data"]), part["norm"], np.arange(start, start + len(part)))
    truth = exact.nearest()
    return tuned(coarse, rows["data"][own], truth, Filtered(np.arange(len(rows)), truth))


def _recall(coarse: Coarse, rows: Rows, metric: Metric, queries: Float32, depth: Depth, k: int) -> float:
    found = 0
    for query in queries:
        true = distances(rows["data"], rows["norm"], query, metric=metric)
        slots, scores = coarse.probed(coarse.encoder.ask(query), nprobe=depth.nprobe, without=None)
        candidates = slots[best(scores, depth.candidates)]
        found += len(set(candidates.tolist()) & set(np.argsort(true, kind="stable")[:k].tolist()))
    return found / (k * len(queries))


@pytest.mark.parametrize("metric", list(Metric))
def test_exact_neighbours(metric: Metric) -> None:
    """A row's neighbours come nearest first, itself left out, over however many blocks the rows pass by."""
    data = np.random.default_rng(0).standard_normal((700, 12)).astype(np.float32)
    norms = np.linalg.norm(data.astype(np.float64), axis=1)
    own = np.array([0, 350, 699])
    exact = Exact(data[own], own, metric=metric)
    for start in range(0, 700, 60):
        exact.add(data[start : start + 60], norms[start : start + 60], np.arange(start, min(700, start + 60)))
    nearest = exact.nearest()
    assert nearest.shape == (3, 100)
    for row, slot in zip(nearest.tolist(), own.tolist(), strict=True):
        true = distances(data, norms, data[slot], metric=metric)
        true[slot] = np.inf
        assert row == np.argsort(true, kind="stable")[:100].tolist()


@pytest.mark.parametrize("metric", list(Metric))
def test_nested_embeddings_reach_the_target(
    nested: Any, slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse], metric: Metric
) -> None:
    """Rows like nested embeddings need few candidates, and queries that are no rows find what is promised."""
    data, queries = next(nested.blocks(np.arange(0, 4_000, 40)))
    rows = slabbed(data[:4_000])
    coarse = coarse_of(rows, metric, lists=40)
    own = np.random.default_rng(1).choice(4_000, 128, replace=False)
    coarse = _tuned(coarse, rows, metric, own)
    first, deep, scanned = coarse.tuning.first, coarse.tuning.deep, coarse.tuning.scanned
    assert first.recall >= TARGET
    assert scanned.nprobe == 40
    assert max(first.candidates, scanned.candidates) <= 200
    assert first.candidates <= deep.candidates <= 1_000
    assert _recall(coarse, rows, metric, queries[:60], first, K) >= TARGET
    assert _recall(coarse, rows, metric, queries[:60], scanned, K) >= TARGET
    assert _recall(coarse, rows, metric, queries[:60], deep, 100) >= 0.96
    halfway = coarse.tuning.depth(50, lists=40)
    assert _recall(coarse, rows, metric, queries[:60], halfway, 50) >= 0.96


@pytest.mark.parametrize("metric", list(Metric))
def test_where_codes_are_no_good_every_row_is_compared(
    slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse], metric: Metric
) -> None:
    """Rows whose first components tell nothing of the others get as many candidates as mean that all are compared."""
    data = np.random.default_rng(2).standard_normal((7_000, 800)).astype(np.float32)
    data[:, :384] /= 100
    rows = slabbed(data)
    coarse = _tuned(coarse_of(rows, metric, lists=5), rows, metric, np.arange(0, 7_000, 300))
    for depth in (coarse.tuning.first, coarse.tuning.deep, coarse.tuning.scanned):
        assert depth.candidates * 4 > 7_000


def test_the_cheapest_that_is_enough(slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse]) -> None:
    """Rows in clusters far apart are found in the nearest list or two, by the fewest candidates that are tried."""
    draw = np.random.default_rng(3)
    middles = draw.standard_normal((20, 8)) * 100
    data = (middles[np.arange(4_000) % 20] + draw.standard_normal((4_000, 8))).astype(np.float32)
    rows = slabbed(data)
    coarse = _tuned(coarse_of(rows, Metric.EUCLIDEAN, lists=25), rows, Metric.EUCLIDEAN, np.arange(0, 4_000, 40))
    assert coarse.tuning.first.recall >= TARGET
    assert coarse.tuning.first.nprobe <= 8
