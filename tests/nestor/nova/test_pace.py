"""How fast the model is called."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nestor.adapters.nova.pace import Pace
from nestor.errors import EmbedderUnavailable, EmbeddingFailed, InvalidInput


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        """Begin at 100 s."""
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds > 0
        self.now += seconds


def failing(times: int, error: Exception) -> Callable[[], str]:
    """Return a call that fails so many times first."""
    left: Iterator[None] = iter([None] * times)

    def call() -> str:
        for _ in left:
            raise error
        return "done"

    return call


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


def test_calls_come_at_even_distances(clock: Clock) -> None:
    """120 a minute: the first at once, then one every half second."""
    pace = Pace(requests_per_minute=120, clock=clock, sleep=clock.sleep)
    times = [pace(clock) - 100 for _ in range(4)]
    assert times == pytest.approx([0, 0.5, 1, 1.5])
    clock.now += 60
    assert [pace(clock) - 161.5 for _ in range(2)] == pytest.approx([0, 0.5])  # a pause earns no burst


def test_what_may_succeed_again_is_tried_again(clock: Clock) -> None:
    """With pauses that may double each time, up to a bound; the last error is passed on."""
    busy = EmbedderUnavailable("busy")
    pace = Pace(requests_per_minute=10**9, attempts=4, clock=clock, sleep=clock.sleep, chance=lambda: 1.0)
    assert pace(failing(3, busy)) == "done"
    assert clock.now - 100 == pytest.approx(1 + 2 + 4)
    with pytest.raises(EmbedderUnavailable, match="busy"):
        pace(failing(4, busy))


def test_pauses_are_bounded_and_by_chance(clock: Clock) -> None:
    """Never above twenty seconds; half of that where chance says so."""
    pace = Pace(requests_per_minute=10**9, attempts=12, clock=clock, sleep=clock.sleep, chance=lambda: 0.5)
    pace(failing(11, EmbedderUnavailable("busy")))
    assert clock.now - 100 == pytest.approx(0.5 * (1 + 2 + 4 + 8 + 16 + 6 * 20))


@pytest.mark.parametrize("error", [EmbeddingFailed("denied"), ValueError("a bug")], ids=["failed", "bug"])
def test_what_cannot_succeed_is_not_tried_again(clock: Clock, error: Exception) -> None:
    """Neither an error for good nor one of our own."""
    pace = Pace(clock=clock, sleep=clock.sleep)
    with pytest.raises(type(error)):
        pace(failing(1, error))
    assert clock.now == 100


def test_others_wait_too_after_a_throttled_call(clock: Clock) -> None:
    """Whoever calls while one of them pauses waits for that pause to end as well."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            pace(clock)
        clock.sleep(seconds)

    pace = Pace(requests_per_minute=10**9, attempts=2, clock=clock, sleep=sleep, chance=lambda: 1.0)
    assert pace(failing(1, EmbedderUnavailable("busy"))) == "done"
    assert waits == pytest.approx([1, 1], abs=1e-6)


def test_no_more_than_so_many_at_a_time() -> None:
    """Eight threads, three calls at a time, and three do run together."""
    pace = Pace(requests_per_minute=10**9, concurrency=3)
    together = threading.Barrier(3)
    lock = threading.Lock()
    running, most = 0, 0

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(timeout=20)
        with lock:
            running -= 1

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(pace, call) for _ in range(12)]:
            done.result()
    assert most == 3


@pytest.mark.parametrize("wrong", [{"requests_per_minute": 0}, {"concurrency": 0}, {"attempts": 0}])
def test_nothing_at_all_is_no_pace(wrong: dict[str, Any]) -> None:
    """Each bound is at least one."""
    with pytest.raises(InvalidInput):
        Pace(**wrong)
