"""A coarse index that is extended by what came later."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from s3vectors_local.model import Encryption, Float32, Index, Metric, Mode
from s3vectors_local.search import staleness
from s3vectors_local.search.coarse import Coarse, Depth
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


@pytest.mark.parametrize("metric", list(Metric))
def test_what_came_gets_codes_of_all_components(
    drawn: Callable[..., Float32],
    slabbed: Callable[[Float32], Rows],
    coarse_of: Callable[..., Coarse],
    metric: Metric,
) -> None:
    """Where the rows before have codes of all components, each live row that came gets the one that it would have."""
    rows = slabbed(drawn(400, 400, metric))
    old = coarse_of(rows[:300], metric, lists=5)
    old = replace(old, whole=old.encoder.encode_whole(rows["data"][:300], rows["norm"][:300]))
    new = extended(old, _index(rows, metric, dead={310}), rows, np.array([310]))
    assert new.whole is not None
    alive = np.setdiff1d(np.arange(400), [310])
    every = new.encoder.encode_whole(rows["data"], rows["norm"])
    np.testing.assert_array_equal(new.whole.values[alive], every.values[alive])
    np.testing.assert_array_equal(new.whole.scales[alive], every.scales[alive])
    np.testing.assert_array_equal(new.whole.penalties[alive], every.penalties[alive])
    assert len(new.whole) == 400


def test_rows_after_the_codes_of_all_components_are_never_dropped(
    slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse]
) -> None:
    """Candidates that have no code of all components all stay for the exact comparison, whatever the others score."""
    rows = slabbed(np.random.default_rng(1).standard_normal((400, 400)).astype(np.float32))
    old = coarse_of(rows[:300], Metric.COSINE, lists=5)
    whole = old.encoder.encode_whole(rows["data"][:300], rows["norm"][:300])
    old = replace(old, whole=whole, tuning=replace(old.tuning, kept=(15, 40)))
    slots = np.arange(200, 400)
    left = old.closest(rows["data"][7], slots, k=10)
    assert set(range(300, 400)) <= set(left.tolist())
    assert len(left) == 115


def _apart(seed: int, regions: range) -> Float32:
    """Return rows in small regions that lie apart."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((max(regions) + 1, 32))
    which = generator.integers(regions.start, regions.stop, 2_000)
    return (centres[which] + 0.2 * generator.standard_normal((2_000, 32))).astype(np.float32)


@pytest.mark.parametrize(("regions", "found"), [(range(40), True), (range(40, 2_000), False)])
def test_whether_the_lists_serve_what_came(
    slabbed: Callable[[Float32], Rows],
    coarse_of: Callable[..., Coarse],
    monkeypatch: pytest.MonkeyPatch,
    regions: range,
    found: bool,
) -> None:
    """Rows like those before are reached, and the lists stay; rows of other regions are not, and a build is due."""
    monkeypatch.setattr(staleness, "COMPARED_BYTES", 1_000)
    monkeypatch.setattr(staleness, "_FEW_ROWS", 500)
    rows = slabbed(np.concatenate([_apart(1, range(40)), _apart(2, regions)]))
    old = coarse_of(rows[:2_000], Metric.COSINE, lists=40)
    old = replace(old, built=2_000, rows=2_000, tuning=replace(old.tuning, first=Depth(2, 30, 1.0)))
    index = _index(rows, Metric.COSINE, dead=set())
    monkeypatch.setattr(staleness, "lists_for", lambda _: 40)
    new = extended(old, index, rows, np.empty(0, np.int64))
    assert (new.reached >= 0.99) == found
    assert staleness.is_build_due(index, new) != found


def test_few_that_came_are_not_asked_about(
    slabbed: Callable[[Float32], Rows], coarse_of: Callable[..., Coarse]
) -> None:
    """While what came is less than an eighth, what was known holds."""
    rows = slabbed(np.concatenate([_apart(1, range(40)), _apart(2, range(40, 2_000))])[:2_200])
    old = replace(coarse_of(rows[:2_000], Metric.COSINE, lists=40), built=2_000, reached=0.75)
    assert extended(old, _index(rows, Metric.COSINE, dead=set()), rows, np.empty(0, np.int64)).reached == 0.75
