"""A coarse index that is extended by what came later."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from s3vectors_local.model import Encryption, Float32, Index, Metric, Mode
from s3vectors_local.search.coarse import Coarse
from s3vectors_local.search.extension import extended
from s3vectors_local.search.partition import assigned
from s3vectors_local.storage.slab import Rows


def _index(rows: Rows, metric: Metric, *, dead: set[int]) -> Index:
    dimension = rows["data"].shape[1]
    return Index(
        1, "demo", "flat", 0, dimension, metric, (), Encryption(), Mode.ENHANCED, 7, 1, len(rows), len(rows) - len(dead)
    )


@pytest.mark.parametrize("metric", list(Metric))
def test_every_live_row_is_in_its_nearest_list(
    drawn: Callable[..., Float32],
    slabbed: Callable[[Float32], Rows],
    coarse_of: Callable[..., Coarse],
    metric: Metric,
) -> None:
    """After it, each live row lies in the list of its nearest centre, once, with its own code; a dead one in none."""
    rows = slabbed(drawn(500, 40, metric))
    old = coarse_of(rows[:300], metric, lists=9, dead={5, 200})
    dead = {5, 200, 7, 299, 300, 411}
    new = extended(old, _index(rows, metric, dead=dead), rows, np.array(sorted(dead)))
    alive = np.setdiff1d(np.arange(500), sorted(dead))
    assert sorted(new.slots.tolist()) == alive.tolist()
    assert (new.end, new.generation, new.slab) == (500, 7, 1)
    np.testing.assert_array_equal(new.slots[new.places[alive]], alive)
    assert (new.places[sorted(dead)] == -1).all()
    codes = new.encoder.encode(rows["data"], rows["norm"])
    np.testing.assert_array_equal(new.codes.values, codes.values[new.slots])
    np.testing.assert_array_equal(new.codes.scales, codes.scales[new.slots])
    nearest = assigned(codes, new.centres)
    lists = np.repeat(np.arange(len(new.centres)), np.diff(new.starts))
    np.testing.assert_array_equal(lists, nearest[new.slots])
    assert new.later == int((alive >= old.built).sum())


def test_the_old_one_is_as_it_was(slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse]) -> None:
    """A view that still uses the coarse index before it sees what it saw."""
    rows = slabbed(np.random.default_rng(1).standard_normal((400, 12)).astype(np.float32))
    old = coarse_of(rows[:300], Metric.COSINE, lists=5)
    asked = old.encoder.ask(rows["data"][350])
    before = old.probed(asked, nprobe=2, without=None)
    extended(old, _index(rows, Metric.COSINE, dead=set()), rows, np.empty(0, np.int64))
    after = old.probed(asked, nprobe=2, without=None)
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


def test_rows_after_the_codes_of_all_components_are_never_dropped(
    slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse]
) -> None:
    """Candidates that have no code of all components all stay for the exact comparison, whatever the others score."""
    rows = slabbed(np.random.default_rng(1).standard_normal((400, 400)).astype(np.float32))
    old = coarse_of(rows[:300], Metric.COSINE, lists=5)
    whole = old.encoder.encode_whole(rows["data"][:300], rows["norm"][:300])
    old = replace(old, whole=whole, tuning=replace(old.tuning, kept=(15, 40)))
    new = extended(old, _index(rows, Metric.COSINE, dead=set()), rows, np.empty(0, np.int64))
    slots = np.arange(200, 400)
    left = new.closest(rows["data"][7], slots, k=10, take=lambda values, at: values.take(at, axis=0))
    assert set(range(300, 400)) <= set(left.tolist())
    assert len(left) == 115
