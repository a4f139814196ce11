"""Filters against a naive reading of the user guide, written apart from the engine; columns against filters."""

import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3vectors_local import filters
from s3vectors_local.engine import open_engine
from s3vectors_local.errors import InvalidFilter
from s3vectors_local.model import Metric, NewIndex, NewVector
from s3vectors_local.search import metadata
from s3vectors_local.search.columns import Block, block, merged
from s3vectors_local.search.metadata import Filterable
from s3vectors_local.storage import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

settings.register_profile("quick", max_examples=300, deadline=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
PROFILE = settings.get_profile(os.environ.get("S3VECTORS_PROFILE", "quick"))

KEYS = st.sampled_from(["a", "b", "", "a.b"])
TEXTS = st.sampled_from(["", "x", "xy", "X", "1", "true", "x\0", "xé", "x\uffff", "x\U00010000", "\U0001f600"])
STORED = st.sampled_from([0, 1, -1, 2, 0.0, -0.0, 1.0, 1.5, 5e-324, 1e300, 2.0**53, 2.0**63])
STORED |= st.sampled_from(
    [2**53, 2**53 + 1, -(2**53) - 1, 2**63, 2**64 - 1, -(2**63)]
)  # whole: what JSON text may hold
NUMBERS = STORED | st.sampled_from([2**70, -(10**400), 10**400])
SCALARS = TEXTS | NUMBERS | st.booleans()
LISTS = st.lists(TEXTS, min_size=1, max_size=3) | st.lists(STORED, min_size=1, max_size=3)
ROWS = st.dictionaries(KEYS, TEXTS | STORED | st.booleans() | LISTS, max_size=4)

OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    "$eq": SCALARS,
    "$ne": SCALARS,
    "$gt": NUMBERS,
    "$gte": NUMBERS,
    "$lt": NUMBERS,
    "$lte": NUMBERS,
    "$in": st.lists(SCALARS, min_size=1, max_size=3),
    "$nin": st.lists(SCALARS, min_size=1, max_size=3),
    "$exists": st.booleans(),
    "$startsWith": TEXTS,
}
# Mostly one operator: of many at once hardly any row passes all.
OPERATIONS = st.one_of([st.fixed_dictionaries({name: operand}) for name, operand in OPERANDS.items()])
OPERATIONS |= st.fixed_dictionaries({}, optional=OPERANDS).filter(bool)
FIELDS = st.builds(lambda key, value: {key: value}, KEYS, SCALARS | OPERATIONS)
FILTERS = st.recursive(
    FIELDS,
    lambda inner: st.builds(
        lambda name, parts: {name: parts}, st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) or isinstance(right, str):
        return isinstance(left, str) and isinstance(right, str) and left == right
    return bool(left == right)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one(operator: str, value: Any, operand: Any) -> bool:
    meanings: dict[str, Callable[[], bool]] = {
        "$eq": lambda: _same(value, operand),
        "$in": lambda: any(_same(value, each) for each in operand),
        "$gt": lambda: _number(value) and bool(value > operand),
        "$gte": lambda: _number(value) and bool(value >= operand),
        "$lt": lambda: _number(value) and bool(value < operand),
        "$lte": lambda: _number(value) and bool(value <= operand),
        "$startsWith": lambda: isinstance(value, str) and value[: len(operand)] == operand,
    }
    return meanings[operator]()


def _holds(row: dict[str, Any], key: str, operator: str, operand: Any) -> bool:
    if operator == "$exists":
        return bool((key in row) == operand)
    if operator == "$ne":
        return not _holds(row, key, "$eq", operand)
    if operator == "$nin":
        return not _holds(row, key, "$in", operand)
    values = [] if key not in row else row[key] if isinstance(row[key], list) else [row[key]]
    return any(_one(operator, value, operand) for value in values)


def _oracle(document: dict[str, Any], row: dict[str, Any]) -> bool:
    ((key, value),) = document.items()
    if key == "$and":
        return all(_oracle(part, row) for part in value)
    if key == "$or":
        return any(_oracle(part, row) for part in value)
    operations = value if isinstance(value, dict) else {"$eq": value}
    return all(_holds(row, key, operator, operand) for operator, operand in operations.items())


@settings(PROFILE)
@given(FILTERS, ROWS)
def test_filters_mean_what_the_guide_says(document: dict[str, Any], row: dict[str, Any]) -> None:
    """Every valid filter decides about every row as the naive reading does."""
    assert filters.predicate(filters.parse(document))(row) == _oracle(document, row)


JSON = st.recursive(
    st.none() | SCALARS | st.sampled_from(["$and", "$eq"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.sampled_from(["$and", "$or", "$in"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@settings(PROFILE)
@given(JSON, ROWS)
def test_any_document_is_refused_or_decides(document: Any, row: dict[str, Any]) -> None:
    """A document of any shape is refused as an invalid filter or gives a decision; nothing else happens."""
    try:
        tree = filters.parse(document)
    except InvalidFilter:
        return
    assert filters.predicate(tree)(row) in {True, False}


def _block(start: int, rows: list[dict[str, Any]]) -> Block:
    return block(start, start + len(rows), enumerate(rows, start))


@settings(PROFILE)
@given(FILTERS, st.lists(ROWS, min_size=1, max_size=12), st.sets(st.integers(1, 11)), st.integers(0, 3))
def test_columns_decide_as_filters_do(
    document: dict[str, Any], rows: list[dict[str, Any]], cuts: set[int], start: int
) -> None:
    """A block answers every filter for each of its slots as the predicate does, and so does one merged of parts."""
    tree = filters.parse(document)
    expected = [filters.predicate(tree)(row) for row in rows]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    parts = [_block(start + low, rows[low:high]) for low, high in pairwise(bounds)]
    whole = _block(start, rows)
    assert whole.mask(tree).tolist() == expected
    assert merged(parts).mask(tree).tolist() == expected
    assert np.concatenate([part.mask(tree) for part in parts]).tolist() == expected


@settings(PROFILE)
@given(st.lists(ROWS, min_size=1, max_size=12), st.integers(0, 12))
def test_merged_blocks_are_the_block_of_all(rows: list[dict[str, Any]], cut: int) -> None:
    """Nothing tells a merged block from one that was made at once."""
    whole, both = _block(5, rows), merged([_block(5, rows[:cut]), _block(5 + len(rows[:cut]), rows[cut:])])
    assert (both.start, both.end, set(both.columns)) == (whole.start, whole.end, set(whole.columns))
    for key, column in whole.columns.items():
        other = both.columns[key]
        assert other.single == column.single
        for name in ("values", "starts", "places"):
            assert getattr(other, name).tolist() == getattr(column, name).tolist()


WRITES = st.dictionaries(st.sampled_from("abcdefgh"), ROWS, min_size=1, max_size=5)
DELETES = st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=3)
STEPS = st.lists(st.tuples(WRITES | DELETES, st.booleans()), min_size=1, max_size=6)


@settings(PROFILE, max_examples=PROFILE.max_examples // 3)
@given(FILTERS, STEPS, st.integers(1, 6), st.integers(1, 4))
def test_metadata_that_grew_is_as_if_read_anew(
    document: dict[str, Any], steps: list[tuple[Any, bool]], opened: int, parsed: int
) -> None:
    """Whenever it is asked in between, metadata in memory selects of the vectors there are those that match."""
    tree = filters.parse(document)
    known = Filterable(1)
    current: dict[str, dict[str, Any]] = {}
    with open_engine(None) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "_OPEN", opened)
        patch.setattr(metadata, "_PARSED", parsed)
        engine.create_bucket("demo")
        engine.create_index("demo", NewIndex("flat", 1, Metric.EUCLIDEAN))
        for change, asked in [*steps, ({"z": {}}, True)]:
            if isinstance(change, dict):
                engine.put_vectors("demo", "flat", [NewVector(k, np.ones(1, np.float32), v) for k, v in change.items()])
                current |= change
            else:
                engine.delete_vectors("demo", "flat", list(change))
                current = {key: row for key, row in current.items() if key not in change}
            if not asked:
                continue
            with engine._store.read() as c:
                index = catalogue.index(c, "demo", "flat")
                assert index is not None
                rows = engine._slab(index).read(index.slots)
                known = known.extended(c, index, rows)
                slots = dict(c.execute("SELECT key, slot FROM records"))
            selected = known.mask(tree, index.slots)
            assert len(selected) == index.slots
            assert {key: bool(selected[slots[key]]) for key in current} == {
                key: filters.predicate(tree)(row) for key, row in current.items()
            }
