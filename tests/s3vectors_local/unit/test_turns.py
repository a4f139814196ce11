"""Turns: one at a time, for as long as that takes no time."""

import threading
import time

import pytest

from s3vectors_local.engine.turns import Turns


def test_one_at_a_time() -> None:
    """Where nobody waits too long, no two threads have the turn together."""
    turns, inside, most = Turns(longest_wait=60), [0], [0]

    def work() -> None:
        for _ in range(20):
            with turns.turn():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_nobody_waits_for_long() -> None:
    """A turn that is not given back holds others up no longer than was said, and is not given back by them."""
    turns = Turns(longest_wait=0.01)
    with turns.turn():
        passed = []

        def follow() -> None:
            for _ in range(2):
                with turns.turn():
                    passed.append(True)

        thread = threading.Thread(target=follow)
        thread.start()
        thread.join(10)
        assert passed == [True, True]


def test_an_error_gives_the_turn_back() -> None:
    """After an error the next thread need not wait."""
    turns = Turns(longest_wait=60)
    with pytest.raises(ValueError, match="wrong"), turns.turn():
        raise ValueError("wrong")
    with turns.turn():
        pass
