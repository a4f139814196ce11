"""Filters that many rows match: looked for in the near lists, as long as these hold enough of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s3vectors_local import filters
from s3vectors_local.engine import Engine
from s3vectors_local.model import Float32, Metric, NewVector
from s3vectors_local.search.coarse import Coarse

ROWS, CLUSTERS, DIMENSION, K = 6_000, 60, 24, 10

Ask = Callable[..., list[tuple[int, float]]]


@pytest.fixture
def clustered() -> tuple[Float32, Any]:
    """Rows around some centres, and the centre of each."""
    draw = np.random.default_rng(3)
    of = draw.integers(CLUSTERS, size=ROWS)
    rows = draw.standard_normal((CLUSTERS, DIMENSION))[of] * 3 + draw.standard_normal((ROWS, DIMENSION)) / 2
    return rows.astype(np.float32), of


def scanned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that fills with how many rows were looked at outside the lists."""
    counts: list[int] = []
    selected = Coarse.selected

    def counting(self: Coarse, query: Any, slots: Any) -> Any:
        counts.append(len(slots))
        return selected(self, query, slots)

    monkeypatch.setattr(Coarse, "selected", counting)
    return counts


@pytest.fixture
def served(filled: Callable[..., Engine], adopted: Callable[..., Coarse], clustered: Any) -> Engine:
    """Give an engine whose index looks into one list of 60, and rows with `half` and `cluster`."""
    rows, of = clustered
    engine = filled(rows, Metric.COSINE, metadata=lambda n: {"half": n % 2, "cluster": int(of[n])})
    adopted(engine, candidates=40, lists=CLUSTERS, nprobe=1)
    return engine


def exact(clustered: Any, number: int, where: Callable[[int], bool]) -> list[int]:
    """Return the nearest rows that match, by comparing all of them."""
    rows, _ = clustered
    query = rows[number]
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    order = np.argsort(1 - rows @ query / lengths, kind="stable")
    return [int(n) for n in order if where(int(n))][:K]


def test_a_filter_that_says_nothing_of_the_place(
    served: Engine, clustered: Any, nearest: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the rows, spread at random: the near lists answer, and nothing else is looked at."""
    looked = scanned(monkeypatch)
    right = 0
    for number in range(0, 400, 10):
        found = [row for row, _ in nearest(served, clustered[0][number], k=K, where=filters.parse({"half": 1}))]
        assert all(row % 2 for row in found)
        right += len({*found} & {*exact(clustered, number, lambda n: n % 2 == 1)})
    assert right >= 0.99 * 40 * K
    assert not looked


def test_a_filter_that_leaves_out_the_near_rows(served: Engine, clustered: Any, nearest: Ask) -> None:
    """All rows but those around the query: the near lists hold none that match, and the nearest of all are found."""
    rows, of = clustered
    right = 0
    for number in range(0, 400, 10):
        own = int(of[number])
        found = [row for row, _ in nearest(served, rows[number], k=K, where=filters.parse({"cluster": {"$ne": own}}))]
        right += len({*found} & {*exact(clustered, number, lambda n, own=own: of[n] != own)})  # type: ignore[misc]
    assert right >= 0.99 * 40 * K


def test_a_filter_that_few_rows_match(
    served: Engine, clustered: Any, nearest: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one row in sixty, those are looked at and no other."""
    looked = scanned(monkeypatch)
    rows, of = clustered
    far = int(of[0] + 1) % CLUSTERS
    found = [row for row, _ in nearest(served, rows[0], k=K, where=filters.parse({"cluster": far}))]
    assert len({*found} & {*exact(clustered, 0, lambda n: of[n] == far)}) >= K - 1
    assert looked == [] or looked == [int((of == far).sum())]


def test_rows_that_came_later_and_those_that_went(served: Engine, clustered: Any, nearest: Ask) -> None:
    """A filter finds what no list holds yet, and not what was deleted."""
    rows, _ = clustered
    gone = exact(clustered, 5, lambda n: n % 2 == 1)[:3]
    served.delete_vectors("demo", "rows", [str(n) for n in gone])
    served.put_vectors("demo", "rows", [NewVector("late", rows[5], {"half": 1})])
    found = [row for row, _ in nearest(served, rows[5], k=K, where=filters.parse({"half": 1}))]
    assert ROWS in found
    assert not {*gone} & {*found}
