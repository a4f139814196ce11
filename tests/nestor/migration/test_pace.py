"""Not more than was asked for."""

import itertools

import pytest

from nestor.migration.pace import Pace


def waits(per_second: float | None, batches: list[int], *, idle: float = 0.0) -> list[float]:
    """Return how long each batch had to wait on a clock that only waiting moves, and `idle` before the last."""
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept[-1] += seconds

    pace = Pace(per_second, clock=lambda: now, sleep=sleep)
    for number, size in enumerate(batches):
        slept.append(0.0)
        now += idle if number == len(batches) - 1 else 0
        pace.take(size)
    return slept


def test_a_batch_waits_for_those_before_it() -> None:
    """2,500 a second: batches of 250 go a tenth of a second apart."""
    assert waits(2500, [250] * 4) == pytest.approx([0, 0.1, 0.1, 0.1])


def test_idle_time_is_not_saved_up() -> None:
    """After a pause no burst follows."""
    assert waits(10, [10, 10, 10], idle=50) == [0, 1, 0]


def test_no_limit() -> None:
    """None of them waits."""
    assert waits(None, list(itertools.repeat(1000, 5))) == [0] * 5
