"""Metadata turned round: what the properties in ../property leave to an example."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from s3vectors_local import filters
from s3vectors_local.engine import Engine
from s3vectors_local.model import Index, Metric, NewVector
from s3vectors_local.search import metadata
from s3vectors_local.search.columns import Block, block, merged
from s3vectors_local.search.metadata import Filterable
from s3vectors_local.storage import catalogue
from s3vectors_local.storage.slab import Rows


def _selected(each: Block, document: Any) -> list[int]:
    return np.flatnonzero(each.mask(filters.parse(document))).tolist()


@pytest.mark.parametrize("halves", [False, True], ids=["at once", "merged"])
def test_two_bounds_on_an_array(halves: bool) -> None:
    """Of an array one element may be within one bound, and another within the other; of a number it is the same one."""
    rows: list[Mapping[str, Any]] = [{"n": 1}, {"n": 5}, {"n": 3}, {"n": [1, 5]}, {"n": [7]}]
    whole = block(0, 5, enumerate(rows))
    if halves:
        whole = merged([block(0, 3, enumerate(rows[:3])), block(3, 5, enumerate(rows[3:], 3))])
    assert _selected(whole, {"n": {"$gt": 2, "$lt": 4}}) == [2, 3]
    assert _selected(whole, {"n": {"$gte": 5, "$lte": 1}}) == [3]
    assert _selected(whole, {"$and": [{"n": {"$gte": 3}}, {"n": {"$lte": 5}}]}) == [1, 2, 3]
    assert _selected(merged([whole, block(5, 6, [(5, {"m": 1})])]), {"n": {"$gt": 4, "$lt": 2}}) == [3]
    numbers = block(0, 3, enumerate(rows[:3]))
    assert _selected(numbers, {"n": {"$gt": 2, "$lte": 5}}) == [1, 2]
    assert _selected(numbers, {"n": {"$gt": 4, "$lt": 2}}) == []
    assert _selected(numbers, {"m": {"$gt": 4, "$lt": 2}}) == []


def test_slots_in_any_order() -> None:
    """A block takes its slots as they come, and has gaps where none came."""
    some = block(10, 20, [(17, {"a": "x"}), (11, {"a": "y"}), (12, {"a": "x"})])
    assert _selected(some, {"a": "x"}) == [2, 7]
    assert _selected(some, {"a": {"$ne": "x"}}) == [0, 1, 3, 4, 5, 6, 8, 9]
    rest = block(10, 20, [(19, {"a": "x"}), (10, {"a": "w"})])
    assert _selected(merged([some, rest]), {"a": {"$in": ["w", "x"]}}) == [0, 2, 7, 9]


def test_documents_are_parsed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more documents are in memory at once than are parsed at a time."""
    parsed = turned = most = 0

    def documents() -> Iterator[tuple[int, Mapping[str, Any]]]:
        nonlocal parsed
        for slot in range(1_000):
            parsed += 1
            yield slot, {"n": slot}

    def counted(start: int, end: int, part: Any) -> Block:
        nonlocal turned, most
        most = max(most, parsed - turned)
        turned += len(part)
        return block(start, end, part)

    monkeypatch.setattr(metadata, "_PARSED", 64)
    monkeypatch.setattr(metadata, "block", counted)
    whole = metadata._block(0, 1_000, documents())
    assert most == 64
    assert _selected(whole, {"n": {"$lt": 100}}) == list(range(100))


def test_blocks_stay_few(engine: Engine, filled: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many writes come one by one, there are few blocks, and few documents that are looked at one by one."""
    monkeypatch.setattr(metadata, "_OPEN", 4)
    rows = np.ones((300, 1), np.float32)
    filled(rows[:100], Metric.COSINE, metadata=lambda number: {"n": number})
    known = Filterable(1)
    for number in range(100, 300):
        filled(rows[number : number + 1], Metric.COSINE, first=number, metadata=lambda number: {"n": number})
        with engine._store.read() as c:
            index, stored = _rows(engine, c)
            known = known.extended(c, index, stored)
        assert len(known.blocks) <= 7
        assert len(known.open) < 4
        assert known.end == index.slots == number + 1
    tree = filters.parse({"n": {"$gte": 150}})
    assert np.flatnonzero(known.mask(tree, 300)).tolist() == list(range(150, 300))


def test_only_what_is_new_is_read(engine: Engine, filled: Callable[..., Engine]) -> None:
    """A few writes to an index that is known already are read by themselves: the statements name them."""
    filled(np.ones((60, 1), np.float32), Metric.COSINE, metadata=lambda number: {"n": number})
    with engine._store.read() as c:
        known = Filterable(1).extended(c, *_rows(engine, c))
    engine.put_vectors("demo", "rows", [NewVector("7", np.ones(1, np.float32), {"n": -7})])
    engine.delete_vectors("demo", "rows", ["9"])
    with engine._store.read() as c:
        index, stored = _rows(engine, c)
        said: list[str] = []
        c.set_trace_callback(said.append)
        known = known.extended(c, index, stored)
        c.set_trace_callback(None)
    assert len(said) == 1
    assert np.flatnonzero(known.mask(filters.parse({"n": {"$lt": 0}}), 61)).tolist() == [60]


def _rows(engine: Engine, c: sqlite3.Connection) -> tuple[Index, Rows]:
    index = catalogue.index(c, "demo", "rows")
    assert index is not None
    return index, engine._slab(index).read(index.slots)
