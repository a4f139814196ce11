"""The state machines as they are written, against the rules of the language."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.config import Pipeline
from infra.definition import PASSING, THROTTLED, State, backfill, embedder, migration

MACHINES = {"embedder": embedder(Pipeline()), "backfill": backfill(Pipeline()), "migration": migration(Pipeline())}
ENDS = {"Succeed", "Fail"}


def scopes(machine: State) -> Iterator[State]:
    """Yield the machine and the processors of its maps: each is a world of its own for Next and Catch."""
    yield machine
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            yield from scopes(state["ItemProcessor"])


def ways(state: State) -> set[str]:
    """Return where a state may lead."""
    steps = {state[member] for member in ("Next", "Default") if member in state}
    steps |= {choice["Next"] for choice in state.get("Choices", [])}
    return steps | {catcher["Next"] for catcher in state.get("Catch", [])}


ALL = [pytest.param(scope, id=f"{name}-{scope['StartAt']}") for name, m in MACHINES.items() for scope in scopes(m)]
TASKS = [
    pytest.param(state, id=name)
    for machine in MACHINES.values()
    for scope in scopes(machine)
    for name, state in scope["States"].items()
    if state["Type"] == "Task"
]


@pytest.mark.parametrize("scope", ALL)
def test_every_state_is_reached_and_leads_to_an_end(scope: State) -> None:
    """From the start to every state, and from every state to an end; no step leads to a state that is not there."""
    states: dict[str, Any] = scope["States"]
    reached, ahead = set(), [scope["StartAt"]]
    while ahead:
        state = ahead.pop()
        if state not in reached:
            reached.add(state)
            ahead += ways(states[state])
    assert reached == set(states)
    ending = {name for name, state in states.items() if state["Type"] in ENDS or state.get("End")}
    assert ending
    while more := {name for name, state in states.items() if ways(state) & ending} - ending:
        ending |= more
    assert ending == set(states)


@pytest.mark.parametrize("scope", ALL)
def test_every_state_that_goes_on_says_where(scope: State) -> None:
    """Exactly one of Next and End, but for choices and ends."""
    for name, state in scope["States"].items():
        assert ("Next" in state) + (state.get("End") is True) == (state["Type"] not in ENDS | {"Choice"}), name


@pytest.mark.parametrize("task", TASKS)
def test_every_task_tries_again_and_catches_the_rest(task: State) -> None:
    """With growing pauses, full jitter and a bound; whatever remains is caught."""
    assert [catcher["ErrorEquals"] for catcher in task["Catch"]] == [["States.ALL"]]
    for retrier in task["Retry"]:
        assert retrier["BackoffRate"] > 1
        assert retrier["JitterStrategy"] == "FULL"
        assert 1 <= retrier["MaxAttempts"] <= 100
        assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"] >= 1


def test_our_own_retryable_error_and_throttling_are_tried_again() -> None:
    """For every function, throttling for longer."""
    for scope in (scope for machine in MACHINES.values() for scope in scopes(machine)):
        for state in scope["States"].values():
            if str(state.get("Resource", "")).startswith("${"):
                first, second = state["Retry"]
                assert first["ErrorEquals"] == list(THROTTLED)
                assert "Retryable" in second["ErrorEquals"]
                assert first["MaxAttempts"] > second["MaxAttempts"] > 0
    assert not set(THROTTLED) & set(PASSING)


def test_a_failure_ends_in_the_dead_letters_and_then_fails() -> None:
    """Every catch of the outer machine leads there; the letter holds what is needed to begin again."""
    states = MACHINES["embedder"]["States"]
    caught = {c["Next"] for name, state in states.items() for c in state.get("Catch", []) if name != "DeadLetter"}
    assert caught == {"DeadLetter"}
    letter = states["DeadLetter"]["Parameters"]["MessageBody"]
    assert letter["input.$"] == "$$.Execution.Input"
    assert (states["DeadLetter"]["Next"], states["Failed"]["Type"]) == ("Failed", "Fail")


EVENTS = {"Wait": 2, "Task": 5, "Choice": 2, "Pass": 2}
"""In the history of an execution, of a state that ends well."""


def test_a_job_may_take_as_long_as_its_execution() -> None:
    """Looking at it until the time is up stays far below the 25,000 events that end an execution without a letter."""
    states = MACHINES["embedder"]["States"]
    wait, look, again = (states[name] for name in ("WaitForJob", "GetJob", "WaitLonger"))
    assert (wait["SecondsPath"], again["ResultPath"]) == ("$.job.pause", "$.job")
    assert again["Parameters"]["pause.$"] == "States.MathAdd($.job.pause, 1)"
    assert (states["IsJobDone"]["Default"], again["Next"]) == ("WaitLonger", "WaitForJob")
    pause, passed, events = states["StartJob"]["ResultSelector"]["pause"], 0, 0
    while passed < Pipeline().timeout_seconds:
        passed, pause = passed + pause, pause + 1
        events += sum(EVENTS[state["Type"]] for state in (wait, look, states["IsJobDone"], again))
    assert events < 25_000 / 2


def test_delays_and_breadth_are_parameters() -> None:
    """What a test sets to nothing, a deployment sets to its needs."""
    quick = embedder(Pipeline(poll_seconds=0, batches_at_once=2, retry_seconds=1, retry_most_seconds=2))
    assert quick["States"]["StartJob"]["ResultSelector"]["pause"] == 0
    assert quick["States"]["EmbedBatches"]["MaxConcurrency"] == 2
    assert {r["IntervalSeconds"] for r in quick["States"]["Plan"]["Retry"]} == {1}
    wide = backfill(Pipeline(backfill_at_once=7, backfill_tolerated_percent=3))["States"]["EachObject"]
    assert (wide["MaxConcurrency"], wide["ToleratedFailurePercentage"]) == (7, 3)
    moving = migration(Pipeline(migrate_at_once=9, backfill_tolerated_percent=4))["States"]["EachBatch"]
    assert (moving["MaxConcurrency"], moving["ToleratedFailurePercentage"]) == (9, 4)
