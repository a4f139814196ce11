"""Queries that look at codes first find what comparing every row would find."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3vectors_local import filters
from s3vectors_local.distance import distances
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import Float32, Metric, NewIndex, NewVector, Query
from s3vectors_local.storage import slab

Nearest = Callable[..., list[tuple[int, float]]]
METRICS = pytest.mark.parametrize("metric", list(Metric))


def _true(rows: Float32, query: Float32, metric: Metric, alive: Any = None) -> list[tuple[float, int]]:
    """Return distances and numbers of the rows that are alive, nearest first, of equals the first."""
    stored = slab.rows(list(rows), list(range(len(rows))), dimension=rows.shape[1])
    found = distances(stored["data"], stored["norm"], query, metric=metric).tolist()
    return sorted((found[number], number) for number in (range(len(rows)) if alive is None else alive))


def _share(found: list[tuple[int, float]], true: list[tuple[float, int]]) -> float:
    """Return how many of the rows found are as near as the true ones at least."""
    bound = true[len(found) - 1][0]
    return sum(distance <= bound for _, distance in found) / len(found)


@METRICS
@pytest.mark.parametrize("dimension", [1, 20, 400])
def test_the_distances_of_exact_search(
    drawn: Callable[..., Float32],
    filled: Callable[..., Engine],
    adopted: Callable[..., Any],
    nearest: Nearest,
    metric: Metric,
    dimension: int,
) -> None:
    """Whatever rows there are, a quarter of them as candidates is enough for the ten nearest, exact to the last bit."""
    rows = drawn(600, dimension, metric)
    engine = filled(rows, metric)
    adopted(engine, candidates=150)
    share = 0.0
    for number in (0, 77, 300, 599):
        true = _true(rows, rows[number], metric)
        found = nearest(engine, rows[number], k=10)
        assert len(found) == 10
        assert [distance for _, distance in found] == sorted(distance for _, distance in found)
        assert all((distance, row) in true for row, distance in found)
        share += _share(found, true) / 4
    assert share == 1


def _kinds(number: int) -> dict[str, Any]:
    return {"half": number % 2 == 0, "tenth": number % 10, "hundredth": number % 100, "number": number}


WHERE: dict[str, Any] = {
    "none": None,
    "half": {"half": True},
    "tenth": {"tenth": 3},
    "hundredth": {"hundredth": 7},
    "few": {"number": {"$in": [5, 1_999, 2_500]}},
    "nobody": {"number": -1},
    "late": {"number": {"$gte": 2_000}},
    "early": {"number": {"$lt": 1_500}},
}


@METRICS
@pytest.mark.parametrize("where", list(WHERE))
def test_after_many_changes(
    filled: Callable[..., Engine], adopted: Callable[..., Any], nearest: Nearest, metric: Metric, where: str
) -> None:
    """With 30 % of the coded rows deleted or overwritten, and 500 written since: what is there is found, by any filter.

    A deleted row never comes back, an overwritten one is found where it is now.
    """
    draw = np.random.default_rng(4)
    rows = draw.standard_normal((2_500, 16)).astype(np.float32)
    engine = filled(rows[:2_000], metric, metadata=_kinds)
    adopted(engine, candidates=120)
    document = WHERE[where]
    tree = None if document is None else filters.parse(document)
    nearest(engine, rows[0], k=1, where=tree)  # so that the changes come to a view that is there
    gone, moved = np.split(draw.permutation(2_000)[:600], 2)
    rows[moved] = draw.standard_normal((300, 16))
    engine.delete_vectors("demo", "rows", [str(number) for number in gone.tolist()])
    for number in moved.tolist():
        filled(rows[number : number + 1], metric, first=number or 2_000, metadata=_kinds)
    filled(rows[2_000:], metric, first=2_000, metadata=_kinds)
    matches = (lambda _: True) if tree is None else filters.predicate(tree)
    alive = [number for number in range(2_500) if number not in gone and matches(_kinds(number))]
    for number in (0, int(gone[0]), int(moved[0]), 2_499):
        true = _true(rows, rows[number], metric, alive)
        for k in (1, 10, 30):
            assert nearest(engine, rows[number], k=k, where=tree) == [(row, distance) for distance, row in true[:k]]


@METRICS
@pytest.mark.parametrize("where", [None, {"half": True}], ids=["all", "filtered"])
def test_the_dead_take_nobodys_place(
    filled: Callable[..., Engine], adopted: Callable[..., Any], nearest: Nearest, metric: Metric, where: Any
) -> None:
    """More dead rows near a query than there are candidates, coded before or since, keep no living one out."""
    rows = np.random.default_rng(7).standard_normal((1_000, 16)).astype(np.float32)
    rows[100:300] = rows[700:900] = rows[0]
    engine = filled(rows[:600], metric, metadata=_kinds)
    adopted(engine, candidates=30)
    filled(rows[600:], metric, first=600, metadata=_kinds)
    gone = [*range(100, 300), *range(700, 900)]
    engine.delete_vectors("demo", "rows", [str(number) for number in gone])
    tree = None if where is None else filters.parse(where)
    alive = [number for number in range(1_000) if number not in gone and (where is None or number % 2 == 0)]
    true = _true(rows, rows[0], metric, alive)[:5]
    assert nearest(engine, rows[0], k=5, where=tree) == [(row, distance) for distance, row in true]


@METRICS
def test_any_number_of_results(
    filled: Callable[..., Engine], adopted: Callable[..., Any], nearest: Nearest, metric: Metric
) -> None:
    """From 1 to 10,000 results, of codes or of every row, nothing is missing or comes twice."""
    rows = np.random.default_rng(5).standard_normal((11_000, 4)).astype(np.float32)
    engine = filled(rows, metric)
    adopted(engine, candidates=300, lists=20)
    true = _true(rows, rows[3], metric)
    for k in (1, 10, 11, 99, 100, 101, 700, 1_000, 5_000, 10_000):
        found = nearest(engine, rows[3], k=k)
        assert found == [(row, distance) for distance, row in true[:k]]


def test_few_lists_and_late_rows(filled: Callable[..., Engine], adopted: Callable[..., Any], nearest: Nearest) -> None:
    """A probe of one list finds rows of the cluster there, and every row that was written after the codes were made."""
    draw = np.random.default_rng(6)
    middles = draw.standard_normal((8, 12)) * 100
    rows = (middles[np.arange(1_700) % 8] + draw.standard_normal((1_700, 12))).astype(np.float32)
    engine = filled(rows[:1_600], Metric.EUCLIDEAN)
    adopted(engine, candidates=350, lists=8, nprobe=1)
    for number in range(8):
        assert nearest(engine, rows[number], k=1) == [(number, 0.0)]
    filled(rows[1_600:], Metric.EUCLIDEAN, first=1_600)
    for number in range(1_600, 1_700):
        assert nearest(engine, rows[number], k=1) == [(number, 0.0)]


@METRICS
def test_never_fewer_than_asked(
    filled: Callable[..., Engine], adopted: Callable[..., Any], nearest: Nearest, metric: Metric
) -> None:
    """Where the nearest lists hold too few rows, or most of theirs are dead, more lists are looked into."""
    rows = np.random.default_rng(7).standard_normal((2_000, 16)).astype(np.float32)
    rows[:3] = np.eye(1, 16) * 1e3  # by themselves in a list
    engine = filled(rows, metric)
    adopted(engine, candidates=40, lists=20, nprobe=1)
    assert [number for number, _ in nearest(engine, rows[0], k=10)][:3] == [0, 1, 2]
    assert len(nearest(engine, rows[0], k=10)) == 10
    gone = [number for number in range(2_000) if number % 20]
    for start in range(0, len(gone), 500):
        engine.delete_vectors("demo", "rows", [str(number) for number in gone[start : start + 500]])
    engine.put_vectors("demo", "rows", [NewVector(f"late{number}", rows[0], {}) for number in range(100)])
    assert len(nearest(engine, rows[40], k=40)) == 40


# Components that are whole numbers up to 127, one of them 127, are codes without any rounding.
ROW = st.tuples(st.integers(-127, 127), st.integers(-127, 127), st.just(127))
KEY = st.integers(0, 59)
WRITE = st.dictionaries(KEY, st.tuples(ROW, st.integers(0, 3)), min_size=1, max_size=12)
STEP = st.one_of(
    st.tuples(st.just("write"), WRITE),
    st.tuples(st.just("delete"), st.sets(KEY, min_size=1, max_size=12)),
    st.tuples(st.sampled_from(["build", "compact"]), st.none()),
    st.tuples(st.just("ask"), st.tuples(ROW, st.sampled_from([None, {"n": 1}, {"n": {"$ne": 1}}, {"n": {"$gte": 0}}]))),
)


@METRICS
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, max_size=15), ROW)
def test_any_sequence(adopted: Callable[..., Any], metric: Metric, steps: list[tuple[str, Any]], last: Any) -> None:
    """Writes, deletes, builds and compactions in any order: a query finds the nearest of the vectors there are now."""
    first = {key: ((key, 3 * key % 127, 127), key % 4) for key in range(50)}
    current: dict[int, Any] = {}
    with open_engine(None) as engine:
        engine.create_bucket("demo")
        index = engine.create_index("demo", NewIndex("rows", 3, metric))
        for action, what in [
            ("write", first),
            ("build", None),
            *steps,
            ("ask", (last, None)),
            ("ask", (last, {"n": 2})),
        ]:
            if action == "write":
                vectors = [NewVector(str(k), np.array(row, np.float32), {"n": n}) for k, (row, n) in what.items()]
                engine.put_vectors("demo", "rows", vectors)
                current |= what
            elif action == "delete":
                engine.delete_vectors("demo", "rows", [str(key) for key in what])
                current = {key: each for key, each in current.items() if key not in what}
            elif action == "build" and current:
                adopted(engine, candidates=8, lists=min(3, len(current)))
            elif action == "compact":
                engine._upkeep.compact(index.id)
            elif action == "ask":
                _check(engine, metric, current, *what)


def _check(engine: Engine, metric: Metric, current: dict[int, Any], asked: Any, where: Any) -> None:
    query = np.array(asked, np.float32)
    tree = None if where is None else filters.parse(where)
    matches = (lambda _: True) if tree is None else filters.predicate(tree)
    rows = np.array([row for row, n in current.values() if matches({"n": n})], np.float32).reshape(-1, 3)
    true = [distance for distance, _ in _true(rows, query, metric)] if len(rows) else []
    page, _ = engine.query_vectors("demo", "rows", Query(query, 2, where))
    assert [hit.distance for hit in page.items] == true[:2]
    assert len({hit.key for hit in page.items}) == len(page.items)
    for hit in page.items:
        row, n = current[int(hit.key)]
        assert matches({"n": n})
        assert hit.distance == _true(np.array([row], np.float32), query, metric)[0][0]
