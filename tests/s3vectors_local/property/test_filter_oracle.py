"""Filters against a naive reading of the user guide, written apart from the engine."""

import os
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from s3vectors_local import filters
from s3vectors_local.errors import InvalidFilter

if TYPE_CHECKING:
    from collections.abc import Callable

settings.register_profile("quick", max_examples=300, deadline=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
PROFILE = settings.get_profile(os.environ.get("S3VECTORS_PROFILE", "quick"))

KEYS = st.sampled_from(["a", "b", "", "a.b"])
TEXTS = st.sampled_from(["", "x", "xy", "X", "1", "true"])
NUMBERS = st.sampled_from([0, 1, -1, 2, 0.0, 1.0, 1.5, 2**53, 2**53 + 1])
SCALARS = TEXTS | NUMBERS | st.booleans()
LISTS = st.lists(TEXTS, min_size=1, max_size=3) | st.lists(NUMBERS, min_size=1, max_size=3)
ROWS = st.dictionaries(KEYS, SCALARS | LISTS, max_size=4)

OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
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
    },
).filter(bool)
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
