"""A coarse index: what it scans, and how far it looks."""

from collections.abc import Callable

import numpy as np
import pytest

from s3vectors_local.model import Float32, Metric
from s3vectors_local.search.coarse import Coarse, Depth, Tuning, best
from s3vectors_local.storage.slab import Rows

FIRST, DEEP, SCANNED = Depth(4, 50, 0.995), Depth(16, 400, 0.97), Depth(64, 70, 0.995)


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("dimension", [1, 30, 400])
def test_all_lists_are_all_rows(
    drawn: Callable[..., Float32],
    slabbed: Callable[[Float32], Rows],
    coarse_of: Callable[..., Coarse],
    metric: Metric,
    dimension: int,
) -> None:
    """A probe of all lists finds every live row once, with the score that its code has; a dead one is not there."""
    rows = slabbed(drawn(400, dimension, metric))
    dead = {3, 100, 399}
    coarse = coarse_of(rows, metric, lists=7, dead=dead)
    asked = coarse.encoder.ask(rows["data"][5])
    slots, scores = coarse.probed(asked, nprobe=7, without=None)
    assert sorted(slots.tolist()) == sorted(set(range(400)) - dead)
    expected = coarse.encoder.encode(rows["data"], rows["norm"]).scores(asked)
    np.testing.assert_allclose(scores, expected[slots], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("metric", list(Metric))
def test_few_lists_are_the_near_ones(
    slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse], metric: Metric
) -> None:
    """More lists only add rows; among those of the first list is, for nearly every row of a cluster, the row itself."""
    draw = np.random.default_rng(1)
    data = draw.standard_normal((30, 20))[draw.integers(30, size=600)] * 5 + draw.standard_normal((600, 20)) / 10
    rows = slabbed(data.astype(np.float32))
    coarse = coarse_of(rows, metric, lists=30)
    met = 0
    for number in range(0, 600, 10):
        asked = coarse.encoder.ask(rows["data"][number])
        found: set[int] = set()
        for nprobe in (1, 2, 5, 29, 30):
            slots, _ = coarse.probed(asked, nprobe=nprobe, without=None)
            met += nprobe == 1 and number in slots
            assert found <= set(slots.tolist())
            found = set(slots.tolist())
        assert len(found) == 600
    assert met >= 55


def test_what_is_left_out(slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse]) -> None:
    """Codes that are marked are in no probe, however many lists it looks at."""
    rows = slabbed(np.random.default_rng(1).standard_normal((300, 5)).astype(np.float32))
    coarse = coarse_of(rows, Metric.COSINE, lists=6)
    without = np.zeros(300, np.bool_)
    without[coarse.places[[0, 50, 299]]] = True
    for nprobe in (1, 6):
        slots, scores = coarse.probed(coarse.encoder.ask(rows["data"][0]), nprobe=nprobe, without=without)
        assert not {0, 50, 299} & set(slots.tolist())
        assert len(slots) == len(scores)


@pytest.mark.parametrize("metric", list(Metric))
def test_selected_rows_have_the_same_scores(
    slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse], metric: Metric
) -> None:
    """Few selected rows are scored as many are: one code at a time or all of them makes no difference."""
    rows = slabbed(np.random.default_rng(1).standard_normal((300, 17)).astype(np.float32))
    coarse = coarse_of(rows, metric, lists=6)
    asked = coarse.encoder.ask(rows["data"][0])
    every = coarse.selected(asked, np.arange(300))
    np.testing.assert_array_equal(coarse.selected(asked, np.array([7, 3, 299])), every[[7, 3, 299]])
    assert coarse.selected(asked, np.empty(0, np.int64)).shape == (0,)


def test_moved_after_a_compaction(slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse]) -> None:
    """The codes of rows that moved are found under their new slots, list by list; those of lost rows are gone."""
    rows = slabbed(np.random.default_rng(1).standard_normal((200, 17)).astype(np.float32))
    coarse = coarse_of(rows, Metric.EUCLIDEAN, lists=6, dead=range(0, 200, 5))
    kept = np.setdiff1d(np.arange(250), np.arange(0, 250, 3))  # 250 slots: 50 came after the coarse index
    to = np.full(250, -1)
    to[kept] = np.arange(len(kept))
    moved = coarse.moved(to, slab=2, slots=len(kept), generation=9)
    assert (moved.slab, moved.generation, moved.end) == (2, 9, int((kept < 200).sum()))
    asked = coarse.encoder.ask(rows["data"][1])
    for nprobe in (1, 6):
        before = dict(zip(*(each.tolist() for each in coarse.probed(asked, nprobe=nprobe, without=None)), strict=True))
        after = dict(zip(*(each.tolist() for each in moved.probed(asked, nprobe=nprobe, without=None)), strict=True))
        assert after == {int(to[slot]): score for slot, score in before.items() if to[slot] >= 0}
    some = np.array([slot for slot in kept.tolist() if slot < 200 and slot % 5])
    np.testing.assert_array_equal(moved.selected(asked, to[some]), coarse.selected(asked, some))


def test_best() -> None:
    """The places of the highest scores, each once; all of them where there are no more."""
    scores = np.random.default_rng(2).permutation(100).astype(np.float32)
    assert sorted(scores[best(scores, 7)].tolist()) == [93, 94, 95, 96, 97, 98, 99]
    assert sorted(best(scores, 100).tolist()) == sorted(best(scores, 500).tolist()) == list(range(100))
    assert len(best(np.empty(0, np.float32), 5)) == 0


def test_how_far_to_look() -> None:
    """What was measured for 10 and for 100 results, between them in between, beyond them in proportion."""
    tuning = Tuning(FIRST, DEEP, SCANNED)
    assert {tuning.depth(k, lists=64) for k in (1, 5, 10)} == {FIRST}
    assert tuning.depth(100, lists=64).nprobe == 16
    assert tuning.depth(100, lists=64).candidates == 400
    assert (tuning.depth(55, lists=64).nprobe, tuning.depth(55, lists=64).candidates) == (10, 225)
    assert (tuning.depth(250, lists=64).nprobe, tuning.depth(250, lists=64).candidates) == (40, 1_000)
    assert tuning.depth(10_000, lists=64).nprobe == 64
    assert [tuning.scan_depth(k) for k in (1, 10, 15, 100)] == [70, 70, 105, 700]


def test_never_fewer_candidates_than_results() -> None:
    """However few candidates were enough on the sample, k results come from k candidates or more; more k, more work."""
    tuning = Tuning(Depth(1, 10, 1.0), Depth(1, 100, 1.0), Depth(1, 10, 1.0))
    depths = [tuning.depth(k, lists=64) for k in range(1, 10_001)]
    assert all(depth.candidates >= k for k, depth in enumerate(depths, 1))
    assert all(tuning.scan_depth(k) >= k for k in range(1, 10_001))
    assert [depth.candidates for depth in depths] == sorted(depth.candidates for depth in depths)
    assert [depth.nprobe for depth in depths] == sorted(depth.nprobe for depth in depths)
