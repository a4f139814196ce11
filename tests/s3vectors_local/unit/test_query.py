"""The rows in memory follow the store, whoever wrote to it, and never exceed their bound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local import query
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import Metric, Mode, NewIndex, NewVector, Query

Make = Callable[..., NewVector]


def _keys(engine: Engine, *components: float, top_k: int = 100, where: Any = None) -> list[str]:
    search = Query(np.array(components, np.float32), top_k, where)
    page, _ = engine.query_vectors("demo", "flat", search)
    return [hit.key for hit in page.items]


def test_every_write_is_seen(engine: Engine, vector: Make) -> None:
    """Appends, overwrites and deletes show in the next query, with and without a filter."""
    assert _keys(engine, 0, 0) == []
    engine.put_vectors("demo", "flat", [vector("a", 1, 0, n=1), vector("b", 2, 0, n=2)])
    assert _keys(engine, 0, 0) == ["a", "b"]
    engine.put_vectors("demo", "flat", [vector("c", 1.5, 0, n=1)])
    assert _keys(engine, 0, 0) == ["a", "c", "b"]
    assert _keys(engine, 0, 0, where={"n": 1}) == ["a", "c"]
    engine.put_vectors("demo", "flat", [vector("d", 0.1, 0, n=1)])
    assert _keys(engine, 0, 0, where={"n": 1}) == ["d", "a", "c"]
    engine.put_vectors("demo", "flat", [vector("a", 9, 0, n=1)])
    assert _keys(engine, 0, 0, where={"n": 1}) == ["d", "c", "a"]
    engine.delete_vectors("demo", "flat", ["d"])
    assert _keys(engine, 0, 0) == ["c", "b", "a"]
    engine.put_vectors("demo", "flat", [vector("e", 0, 0)])
    assert _keys(engine, 0, 0) == ["e", "c", "b", "a"]


def test_last_vector_deleted_and_written_again(engine: Engine, vector: Make) -> None:
    """A key that was deleted and written anew is found once, where it is now."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0)])
    assert _keys(engine, 0, 0) == ["a"]
    engine.delete_vectors("demo", "flat", ["a"])
    engine.put_vectors("demo", "flat", [vector("a", 2, 0), vector("b", 1, 0)])
    assert _keys(engine, 0, 0) == ["b", "a"]


def test_index_made_anew(engine: Engine, vector: Make) -> None:
    """An index that was deleted and made again begins empty."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0)])
    assert _keys(engine, 0, 0) == ["a"]
    engine.delete_index("demo", "flat")
    engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN))
    assert _keys(engine, 0, 0) == []


def test_ties_come_in_the_order_of_first_write(engine: Engine, vector: Make) -> None:
    """Of equally near vectors the one first written comes first, also after it was overwritten."""
    engine.put_vectors("demo", "flat", [vector(key, 1, 1) for key in "cab"])
    engine.put_vectors("demo", "flat", [vector("a", 1, 1)])
    assert _keys(engine, 0, 0) == ["c", "a", "b"]
    assert _keys(engine, 0, 0, top_k=2) == ["c", "a"]


def test_filter_comes_before_the_search(engine: Engine, vector: Make) -> None:
    """A query under a filter finds topK matches, however many nearer vectors do not match."""
    near = [vector(f"near{number}", 0, number / 1000, kind="other") for number in range(200)]
    engine.put_vectors("demo", "flat", [*near, vector("far1", 90, 0, kind="x"), vector("far2", 80, 0, kind="x")])
    assert _keys(engine, 0, 0, top_k=2, where={"kind": "x"}) == ["far2", "far1"]
    assert len(_keys(engine, 0, 0, top_k=100, where={"kind": "other"})) == 100


def test_non_filterable_keys_are_not_kept(engine: Engine, vector: Make) -> None:
    """The metadata in memory has filterable keys only."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0, n=1, text="long")])
    assert _keys(engine, 0, 0, where={"n": 1}) == ["a"]
    (resident,) = engine._search._residents.values()
    assert resident.rows is not None
    assert resident.rows.metadata == ({"n": 1},)


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("where", [None, {"even": True}], ids=["all", "filtered"])
def test_streaming_gives_the_same(tmp_path: Path, metric: Metric, where: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index over the bound is read in blocks, with the same answer."""
    monkeypatch.setattr("s3vectors_local.limits.STREAM_BYTES", 40 * 4 * 7)
    rows = np.random.default_rng(5).standard_normal((200, 40)).astype(np.float32)
    with open_engine(tmp_path / "data") as writer:
        writer.create_bucket("demo")
        writer.create_index("demo", NewIndex("flat", 40, metric))
        vectors = [NewVector(f"k{place}", row, {"even": place % 2 == 0}) for place, row in enumerate(rows)]
        writer.put_vectors("demo", "flat", vectors)
        with open_engine(tmp_path / "data", read_only=True, resident_bytes=1000) as reader:
            resident, streamed = (
                each.query_vectors("demo", "flat", Query(rows[3], 20, where))[0].items for each in (writer, reader)
            )
            assert not reader._search._residents
    assert [hit.key for hit in streamed] == [hit.key for hit in resident]
    assert [hit.distance for hit in streamed] == pytest.approx([hit.distance for hit in resident], abs=1e-5)


def test_memory_is_bounded(engine: Engine, vector: Make) -> None:
    """Rows of indexes queried long ago go when the bound is reached."""
    search = engine._search = query.Search(resident_bytes=100)
    for name in ("first", "second"):
        engine.create_index("demo", NewIndex(name, 2, Metric.EUCLIDEAN))
        engine.put_vectors("demo", name, [vector(f"k{number}", number, 0) for number in range(5)])
        engine.query_vectors("demo", name, Query(np.zeros(2, np.float32), 1))
    assert len(search._residents) == 1


def test_older_views_keep_their_rows(engine: Engine, vector: Make) -> None:
    """Rows that a query still holds do not change while others are appended."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0), vector("b", 2, 0)])
    _keys(engine, 0, 0)
    engine.put_vectors("demo", "flat", [vector("c", 3, 0)])
    _keys(engine, 0, 0)
    (resident,) = engine._search._residents.values()
    held = resident.rows
    assert held is not None
    before = held.matrix.copy()
    engine.put_vectors("demo", "flat", [vector("d", 4, 0)])
    assert _keys(engine, 0, 0) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(held.matrix, before)


def test_a_view_older_than_memory_is_told(engine: Engine, vector: Make) -> None:
    """Rows in memory are never mixed with an older view of the store: the caller is sent for a newer one."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 0)])
    old = engine.get_index("demo", "flat")
    engine.put_vectors("demo", "flat", [vector("b", 1, 0)])
    _keys(engine, 0, 0)
    with engine._store.read() as c, pytest.raises(query.SnapshotTooOld):
        engine._search.nearest(c, old, np.zeros(2, np.float32), k=1)


def test_other_processes_writes_are_seen(folder: Path, vector: Make) -> None:
    """A reader's next query sees what the writer stored since."""
    with open_engine(folder) as writer, open_engine(folder, read_only=True) as reader:
        assert _keys(reader, 0, 0) == ["one"]
        writer.put_vectors("demo", "flat", [vector("two", 0, 0)])
        assert _keys(reader, 0, 0) == ["two", "one"]
        writer.delete_vectors("demo", "flat", ["one"])
        assert _keys(reader, 0, 0) == ["two"]


def test_mode_of_the_query(engine: Engine, vector: Make) -> None:
    """CLASSIC cannot be asked of an ENHANCED index."""
    with pytest.raises(Exception, match="CLASSIC query mode"):
        engine.query_vectors("demo", "flat", Query(np.zeros(2, np.float32), 1, mode=Mode.CLASSIC))
