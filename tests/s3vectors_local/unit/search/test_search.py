"""What is in memory follows the store, whoever wrote to it, and never exceeds its bound."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local import filters, limits
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import ValidationException
from s3vectors_local.model import Metric, Mode, NewIndex, NewVector, Query
from s3vectors_local.search import SnapshotTooOld
from s3vectors_local.search.build import build
from s3vectors_local.storage import catalogue, records

Make = Callable[..., NewVector]
OPEN_FILES = Path("/proc/self/fd")


def _hits(engine: Engine, components: Any, index: str = "flat", top_k: int = 100, where: Any = None) -> list[Any]:
    page, _ = engine.query_vectors("demo", index, Query(np.array(components, np.float32), top_k, where))
    return list(page.items)


def _keys(engine: Engine, *components: float, top_k: int = 100, where: Any = None) -> list[str]:
    return [hit.key for hit in _hits(engine, components, top_k=top_k, where=where)]


def test_every_write_is_seen(engine: Engine, vector: Make) -> None:
    """Appends, overwrites and deletes show in the next query, with and without a filter."""
    assert _keys(engine, 0, 0) == []
    assert _keys(engine, 0, 0, where={"n": 1}) == []
    engine.put_vectors("demo", "flat", [vector("a", 1, 0, n=1), vector("b", 2, 0, n=2)])
    assert _keys(engine, 0, 0) == ["a", "b"]
    engine.put_vectors("demo", "flat", [vector("c", 1.5, 0, n=1)])
    assert _keys(engine, 0, 0) == ["a", "c", "b"]
    assert _keys(engine, 0, 0, where={"n": 1}) == ["a", "c"]
    engine.put_vectors("demo", "flat", [vector("d", 0.1, 0, n=1)])
    assert _keys(engine, 0, 0, where={"n": 1}) == ["d", "a", "c"]
    engine.put_vectors("demo", "flat", [vector("a", 9, 0, n=1)])
    assert _keys(engine, 0, 0, where={"n": 1}) == ["d", "c", "a"]
    engine.put_vectors("demo", "flat", [vector("c", 1.5, 0, n=3)])
    assert _keys(engine, 0, 0, where={"n": 1}) == ["d", "a"]
    engine.delete_vectors("demo", "flat", ["d"])
    assert _keys(engine, 0, 0) == ["c", "b", "a"]
    assert _keys(engine, 0, 0, where={"n": {"$ne": 7}}) == ["c", "b", "a"]
    engine.put_vectors("demo", "flat", [vector("e", 0, 0)])
    assert _keys(engine, 0, 0) == ["e", "c", "b", "a"]
    assert _keys(engine, 0, 0, where={"n": {"$exists": False}}) == ["e"]


def test_last_vector_deleted_and_written_again(engine: Engine, vector: Make) -> None:
    """A key that was deleted and written anew is found once, where it is now."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0)])
    assert _keys(engine, 0, 0) == ["a"]
    engine.delete_vectors("demo", "flat", ["a"])
    assert _keys(engine, 0, 0) == []
    engine.put_vectors("demo", "flat", [vector("a", 2, 0), vector("b", 1, 0)])
    assert _keys(engine, 0, 0) == ["b", "a"]


def test_index_made_anew(engine: Engine, vector: Make) -> None:
    """An index that was deleted and made again begins empty, whatever filters knew of the one before."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0, n=1)])
    assert _keys(engine, 0, 0, where={"n": 1}) == ["a"]
    engine.delete_index("demo", "flat")
    engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN))
    assert _keys(engine, 0, 0) == []
    engine.put_vectors("demo", "flat", [vector("a", 1, 0, n=2)])
    assert _keys(engine, 0, 0, where={"n": 1}) == []


def test_ties_come_in_the_order_of_first_write(engine: Engine, vector: Make) -> None:
    """Of equally near vectors the one first written comes first, also after it was overwritten."""
    engine.put_vectors("demo", "flat", [vector(key, 1, 1) for key in "cab"])
    engine.put_vectors("demo", "flat", [vector("c", 1, 1)])
    assert _keys(engine, 0, 0) == ["c", "a", "b"]
    assert _keys(engine, 0, 0, top_k=2) == ["c", "a"]


def test_ties_of_many_blocks(engine: Engine, vector: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where more rows are equally near than one block holds."""
    monkeypatch.setattr(limits, "STREAM_BYTES", 10 * 32)
    engine.put_vectors("demo", "flat", [vector(str(number), 1, 1) for number in range(100)])
    engine.put_vectors("demo", "flat", [vector("0", 1, 1)])
    for k in (1, 7, 50):
        assert _keys(engine, 0, 0, top_k=k) == [str(number) for number in range(k)]


def test_filter_comes_before_the_search(engine: Engine, vector: Make) -> None:
    """A query under a filter finds topK matches, however many nearer vectors do not match."""
    near = [vector(f"near{number}", 0, number / 1000, kind="other") for number in range(200)]
    engine.put_vectors("demo", "flat", [*near, vector("far1", 90, 0, kind="x"), vector("far2", 80, 0, kind="x")])
    assert _keys(engine, 0, 0, top_k=2, where={"kind": "x"}) == ["far2", "far1"]
    assert len(_keys(engine, 0, 0, top_k=100, where={"kind": "other"})) == 100


def test_non_filterable_keys_are_not_kept(engine: Engine, vector: Make) -> None:
    """The metadata in memory has filterable keys only."""
    engine.put_vectors("demo", "flat", [vector(f"k{number}", 1, 0, n=1, text="long") for number in range(9)])
    assert len(_keys(engine, 0, 0, where={"n": 1})) == 9
    engine.put_vectors("demo", "flat", [vector("a", 1, 0, n=1, text="long")])
    assert len(_keys(engine, 0, 0, where={"n": 1})) == 10
    (kept,) = engine._search._kept.values()
    assert {key for block in kept.metadata.blocks for key, _ in block.columns} == {"n"}
    assert kept.metadata.open == ({"n": 1},)


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("where", [None, {"even": True}], ids=["all", "filtered"])
def test_rows_are_read_in_blocks(engine: Engine, metric: Metric, where: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows a block has, the answer is the same, to the last bit."""
    rows = np.random.default_rng(5).standard_normal((200, 40)).astype(np.float32)
    engine.create_index("demo", NewIndex("rows", 40, metric))
    vectors = [NewVector(f"k{place}", row, {"even": place % 2 == 0}) for place, row in enumerate(rows)]
    engine.put_vectors("demo", "rows", vectors)
    engine.delete_vectors("demo", "rows", ["k7", "k100"])
    at_once = _hits(engine, rows[3], "rows", 20, where)
    for count in (1, 7, 198):
        monkeypatch.setattr(limits, "STREAM_BYTES", count * (40 * 4 + 24))
        assert _hits(engine, rows[3], "rows", 20, where) == at_once


def test_older_views_keep_their_rows(engine: Engine, vector: Make) -> None:
    """A view that a query still holds answers as before, whatever is written meanwhile."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0), vector("b", 2, 0)])
    _keys(engine, 0, 0)
    engine.put_vectors("demo", "flat", [vector("c", 3, 0)])
    _keys(engine, 0, 0)
    (kept,) = engine._search._kept.values()
    held = kept.view
    assert held is not None
    origin = np.zeros(2, np.float32)
    before = held.nearest(origin, k=10, selected=None)
    assert [distance for _, distance in before] == [1, 4, 9]
    for number in range(50):
        engine.put_vectors("demo", "flat", [vector(f"d{number}", 0, 0), vector("b", 5, 0)])
        engine.delete_vectors("demo", "flat", ["a"])
        assert len(_keys(engine, 0, 0)) == number + 3
        assert held.nearest(origin, k=10, selected=None) == before


def test_a_view_older_than_memory_is_told(engine: Engine, vector: Make) -> None:
    """What is in memory is never mixed with an older view of the store: the caller is sent for a newer one."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0)])
    old = engine.get_index("demo", "flat")
    engine.put_vectors("demo", "flat", [vector("b", 1, 0)])
    _keys(engine, 0, 0)
    with engine._store.read() as c, pytest.raises(SnapshotTooOld):
        engine._search.nearest(c, engine._slab(old), old, np.zeros(2, np.float32), k=1)


def test_a_coarse_index_made_of_an_older_view(folder: Path, vector: Make) -> None:
    """When it is adopted, what is in memory does not go back to that view: a query that is older still is told."""
    tree = filters.parse({"n": 1})
    with open_engine(folder) as engine, engine._store.read() as c:
        index = catalogue.index(c, "demo", "flat")
        assert index is not None
        slab = engine._slab(index)
        coarse = build(index, slab.read(index.slots)[: index.slots], records.dead(c, index))
        engine.put_vectors("demo", "flat", [vector("one", 1, 2, n=1), vector("two", 0, 0, n=1)])
        assert _keys(engine, 0, 0, where={"n": 1}) == ["two", "one"]
        engine._search.adopt(c, slab, index, coarse)
        with pytest.raises(SnapshotTooOld):
            engine._search.nearest(c, slab, index, np.zeros(2, np.float32), k=1, where=tree)
        assert _keys(engine, 0, 0, where={"n": 1}) == ["two", "one"]


def test_other_processes_writes_are_seen(folder: Path, vector: Make) -> None:
    """A reader's next query sees what the writer stored since."""
    with open_engine(folder) as writer, open_engine(folder, read_only=True) as reader:
        assert _keys(reader, 0, 0) == ["one"]
        writer.put_vectors("demo", "flat", [vector("two", 0, 0, n=1)])
        assert _keys(reader, 0, 0) == ["two", "one"]
        assert _keys(reader, 0, 0, where={"n": 1}) == ["two", "one"]
        writer.put_vectors("demo", "flat", [vector(f"k{number}", 9, 9) for number in range(500)])
        assert len(_keys(reader, 9, 9, top_k=600)) == 100
        writer.delete_vectors("demo", "flat", ["one"])
        assert _keys(reader, 0, 0, top_k=2) == ["two", "k0"]


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="only Linux tells which files are open")
def test_many_indexes(tmp_path: Path, vector: Make) -> None:
    """Three hundred indexes that are queried in turn give their own answers, and keep no more files open than told."""
    with open_engine(tmp_path / "data") as engine:
        engine.create_bucket("demo")
        before = len(list(OPEN_FILES.iterdir()))
        for number in range(300):
            engine.create_index("demo", NewIndex(f"i{number:03}", 2, Metric.EUCLIDEAN))
            engine.put_vectors("demo", f"i{number:03}", [vector(f"of{number}", number, 0), vector("far", 999, 999)])
        for _ in range(2):
            for number in range(300):
                (first, second) = _hits(engine, (0, 0), f"i{number:03}", where={"$or": [{"a": {"$exists": False}}]})
                assert (first.key, first.distance, second.key) == (f"of{number}", number**2, "far")
        assert len(list(OPEN_FILES.iterdir())) - before <= 256


def test_readers_beside_a_writer(folder: Path, vector: Make) -> None:
    """Queries in several threads see all of a write or none of it, and never less than the same thread saw before."""
    done = threading.Event()
    faults: list[Any] = []

    def read(engine: Engine) -> None:
        last = 0
        while not done.is_set():
            first, second = _hits(engine, (0, 0), top_k=2, where={"round": {"$gte": 0}})
            # Each round moves two vectors nearer, both to one distance.
            now = round(1 / first.distance)
            if first.distance != second.distance or now < last:
                faults.append((first, second, last))
            last = now

    with open_engine(folder) as engine:
        engine.put_vectors("demo", "flat", [vector("a", 1, 0, round=0), vector("b", 0, 1, round=0)])
        threads = [threading.Thread(target=read, args=(engine,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 100):
            near = (1 / (number + 1)) ** 0.5
            more = [vector(f"{number}-{part}", 5, part, round=number) for part in range(30)]
            both = [vector("a", near, 0, round=number), vector("b", 0, near, round=number)]
            engine.put_vectors("demo", "flat", [*more, *both])
        done.set()
        for thread in threads:
            thread.join()
    assert not faults


def test_mode_of_the_query(engine: Engine) -> None:
    """CLASSIC cannot be asked of an ENHANCED index."""
    with pytest.raises(ValidationException, match="CLASSIC query mode"):
        engine.query_vectors("demo", "flat", Query(np.zeros(2, np.float32), 1, mode=Mode.CLASSIC))
