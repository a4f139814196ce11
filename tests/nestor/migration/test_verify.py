"""The comparison finds what is not as it was."""

from typing import Any

import numpy as np
import pytest

from nestor.domain import DIMENSIONS, object_id, segment_key
from nestor.migration.verify import Verification
from nestor.ports import VectorRow
from nestor.wiring import Nestor

FILM = "s3://src/film.mp4"


@pytest.fixture
def moving(old: Any, home: Nestor) -> Any:
    """Return a migration that has run, of 60 segments."""
    old.film(FILM, 60)
    moving = home.migration(str(old.root))
    moving.look()
    list(moving.run())
    return moving


def verified(moving: Any) -> Verification:
    """Compare everything."""
    found: Verification = moving.verify(sample=60)
    return found


def test_all_is_well(moving: Any) -> None:
    """Every row is there, equal bit for bit, and the scan of the old data finds the same."""
    found = verified(moving)
    assert found.holds
    assert (found.stored, found.compared, found.scanned) == (60, 60, 60)
    assert found.agreement == dict.fromkeys(DIMENSIONS, 1.0)


def test_a_missing_row(moving: Any, home: Nestor) -> None:
    """One key less at one size."""
    home.vectors.delete(384, [segment_key(object_id(FILM), 7)])
    found = verified(moving)
    assert not found.holds
    assert found.missing == {256: 0, 384: 1, 1024: 0, 3072: 0}
    assert found.unequal == (f"384: {segment_key(object_id(FILM), 7)}",)


def test_a_changed_bit(moving: Any, home: Nestor) -> None:
    """The last digit of one component."""
    key = segment_key(object_id(FILM), 3)
    row = home.vectors.fetch(256, [key])[0][key].copy()
    row[5] = np.nextafter(row[5], np.float32(1))
    home.vectors.put(256, [VectorRow(key, row, {})])
    found = verified(moving)
    assert (found.holds, found.unequal) == (False, (f"256: {key}",))


def test_rows_under_wrong_keys(moving: Any, home: Nestor) -> None:
    """Every embedding is there, but a search gives other segments."""
    keys = [segment_key(object_id(FILM), number) for number in range(60)]
    rows = home.vectors.fetch(3072, keys)[0]
    home.vectors.put(3072, [VectorRow(key, rows[other], {}) for key, other in zip(keys, reversed(keys), strict=True)])
    found = verified(moving)
    assert not found.holds
    assert found.agreement[3072] < 0.5
    assert found.agreement[256] == 1.0


def test_more_in_the_bucket_than_was_moved(moving: Any, home: Nestor) -> None:
    """Rows of others are not counted, and do not hide a missing one."""
    home.vectors.put(256, [VectorRow("another", np.eye(1, 256, dtype=np.float32)[0], {})])
    home.vectors.delete(256, [segment_key(object_id(FILM), 7)])
    assert verified(moving).missing[256] == 1


def test_a_sample_of_many(moving: Any) -> None:
    """The old scan may look at fewer than all; its segments are drawn, and agree all the same."""
    found = moving.verifier.verify(sample=10, questions=5, scan=20)
    assert (found.compared, found.scanned, found.holds) == (10, 20, True)
