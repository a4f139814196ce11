"""Lists: near rows lie in the same one, however rows are drawn."""

from collections.abc import Callable

import numpy as np
import pytest

from s3vectors_local.model import Float32, Metric
from s3vectors_local.search import partition
from s3vectors_local.search.codes import Encoder, quantised
from s3vectors_local.storage.slab import Rows


def test_how_many_lists() -> None:
    """A small index is one list; a larger one has lists of about a hundred rows, up to a bound."""
    counts = {rows: partition.lists_for(rows) for rows in (1, 8_191, 8_192, 100_000, 1_000_000, 50_000_000)}
    assert counts == {1: 1, 8_191: 1, 8_192: 81, 100_000: 1_000, 1_000_000: 4_096, 50_000_000: 4_096}


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("dimension", [1, 20])
def test_each_row_is_in_the_list_of_its_nearest_centre(
    drawn: Callable[..., Float32], slabbed: Callable[[Float32], Rows], metric: Metric, dimension: int
) -> None:
    """The centre of a row's list is the nearest one, as near as codes can tell; there are no lists but those asked."""
    rows = slabbed(drawn(700, dimension, metric))
    encoder = Encoder(metric, dimension)
    reduced = np.ascontiguousarray(encoder.reduced(rows["data"], rows["norm"]))
    centres = partition.centroids(reduced, 9)
    codes = quantised(reduced, np.zeros(700, np.float32))
    lists = partition.assigned(codes, centres)
    assert len(centres) == 9
    assert lists.min() >= 0
    assert lists.max() < 9
    decoded, means = (each.values * each.scales.astype(np.float64)[:, None] for each in (codes, centres))
    nearness = decoded @ means.T - centres.penalties
    # Rows of subnormal numbers have codes of zeros: what is near them cannot be told.
    told = codes.scales > 0
    best = nearness.max(axis=1)
    chosen = nearness[np.arange(700), lists]
    assert (chosen[told] >= best[told] - np.abs(best[told]) * 1e-9).all()


def test_clusters_are_not_torn() -> None:
    """Of clusters that lie far apart no one is spread over many lists, and lists are far tighter than the whole."""
    draw = np.random.default_rng(5)
    middles = draw.standard_normal((20, 40)).astype(np.float32) * 10
    which = draw.integers(20, size=2_000)
    rows = middles[which] + draw.standard_normal((2_000, 40), np.float32) / np.float32(10)
    centres = partition.centroids(rows, 40)
    lists = partition.assigned(quantised(rows, np.zeros(2_000, np.float32)), centres)
    means = centres.values[lists] * centres.scales[lists, None]
    assert ((rows - means) ** 2).sum() < ((rows - rows.mean(axis=0)) ** 2).sum() / 4
    assert len(np.unique(np.stack([which, lists]), axis=1).T) <= 45  # pairs of a cluster and a list
    again = partition.centroids(rows, 40)
    np.testing.assert_array_equal(centres.values, again.values)


def test_a_centre_is_the_mean_of_its_rows() -> None:
    """Within what its code rounds away."""
    rows = np.random.default_rng(8).standard_normal((30, 12)).astype(np.float32) + 2
    centre = partition.centroids(rows, 1)
    np.testing.assert_allclose(centre.values[0] * centre.scales[0], rows.mean(axis=0), atol=centre.scales[0] * 0.51)
    np.testing.assert_allclose(centre.penalties[0], (rows.mean(axis=0) ** 2).sum() / 2, rtol=1e-5)


def test_one_outlier_costs_one_list() -> None:
    """One row a million times farther away takes no precision from the lists of all others."""
    rows = np.random.default_rng(6).standard_normal((3_000, 30)).astype(np.float32)
    rows[17] = 1e6
    lists = partition.assigned(quantised(rows, np.zeros(3_000, np.float32)), partition.centroids(rows, 30))
    sizes = np.bincount(lists, minlength=30)
    assert sizes[lists[17]] == 1
    assert sizes.max() < 1_000


def test_rows_that_are_all_equal() -> None:
    """They are one list; the others are empty."""
    rows = np.full((500, 8), 0.25, np.float32)
    lists = partition.assigned(quantised(rows, np.zeros(500, np.float32)), partition.centroids(rows, 5))
    assert len(set(lists.tolist())) == 1
