from typing import Any

import pytest

from s3vectors_local import filters
from s3vectors_local.errors import InvalidFilter
from s3vectors_local.model import Mode

ROW = {"s": "abc", "n": 1, "f": 2.5, "b": True, "tags": ["x", "y"], "nums": [1, 5], "": "empty", "a.b": 3}

OPERANDS: dict[str, list[Any]] = {
    "$eq": [None, ["a"], [], {}],
    "$ne": [None, ["a"], [], {}],
    "$gt": ["1", True, None, [1], {}],
    "$gte": ["1", True, None, [1], {}],
    "$lt": ["1", True, None, [1], {}],
    "$lte": ["1", True, None, [1], {}],
    "$in": [[None], [{}], [["a"]], "a", [], 1],
    "$nin": [[None], [{}], [["a"]], "a", [], 1],
    "$exists": ["yes", "true", 1, None],
    "$startsWith": [1, None, ["a"], True],
}
BAD_OPERANDS = [{"n": {operator: bad}} for operator, operands in OPERANDS.items() for bad in operands]


def _matches(document: Any) -> bool:
    return filters.predicate(filters.parse(document))(ROW)


@pytest.mark.parametrize(
    "document",
    [
        {"s": "abc"},
        {"s": {"$eq": "abc"}},
        {"b": True},
        {"n": 1.0},
        {"": "empty"},
        {"a.b": {"$gte": 3}},
        {"s": {"$ne": "abd"}},
        {"n": {"$gt": 0, "$lt": 2}},
        {"f": {"$gte": 2.5, "$lte": 2.5}},
        {"s": {"$in": [1, True, "abc"]}},
        {"s": {"$nin": ["x", 1]}},
        {"n": {"$exists": True}},
        {"nope": {"$exists": False}},
        {"s": {"$startsWith": "ab"}},
        {"s": {"$startsWith": ""}},
        {"$and": [{"s": "abc"}, {"n": 1}]},
        {"$or": [{"s": "no"}, {"$and": [{"n": 1}]}]},
    ],
    ids=str,
)
def test_matches(document: Any) -> None:
    """The filter matches the row."""
    assert _matches(document)


@pytest.mark.parametrize(
    "document",
    [
        {"s": "ABC"},
        {"s": "ab"},
        {"b": 1},
        {"n": True},
        {"b": "true"},
        {"n": "1"},
        {"nope": "x"},
        {"s": {"$ne": "abc"}},
        {"n": {"$gt": 1}},
        {"n": {"$lt": 1}},
        {"s": {"$gt": 0}},
        {"b": {"$gte": 0}},
        {"n": {"$in": [True, "1"]}},
        {"s": {"$nin": ["abc"]}},
        {"n": {"$exists": False}},
        {"nope": {"$exists": True}},
        {"s": {"$startsWith": "b"}},
        {"n": {"$startsWith": "1"}},
        {"$and": [{"s": "abc"}, {"n": 2}]},
        {"$or": [{"s": "no"}, {"n": 2}]},
    ],
    ids=str,
)
def test_does_not_match(document: Any) -> None:
    """The filter is valid, and does not match the row."""
    assert not _matches(document)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"tags": "y"}, True),
        ({"tags": "z"}, False),
        ({"tags": {"$ne": "x"}}, False),
        ({"tags": {"$ne": "z"}}, True),
        ({"tags": {"$in": ["z", "x"]}}, True),
        ({"tags": {"$nin": ["z", "x"]}}, False),
        ({"nums": {"$gt": 4}}, True),
        ({"nums": {"$gt": 5}}, False),
        ({"tags": {"$startsWith": "y"}}, True),
    ],
    ids=str,
)
def test_arrays(document: Any, expected: bool) -> None:
    """On an array an operator holds if it holds for one element; $ne and $nin if for none."""
    assert _matches(document) is expected


def test_missing_key_and_negation() -> None:
    """$ne and $nin are negations: a vector that lacks the key matches."""
    assert _matches({"nope": {"$ne": "x"}})
    assert _matches({"nope": {"$nin": ["x"]}})


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "x",
        1,
        {"s": "a", "n": 1},
        {"s": {}},
        {"s": {"x": 1}},
        {"s": {"$eg": "a"}},
        {"s": {"$eq": "a", "x": 1}},
        {"s": {"$and": [{"s": "a"}]}},
        {"s": {"$schema": "x"}},
        {"$not": {"s": "a"}},
        {"$eq": "a"},
        {"$and": []},
        {"$and": {"s": "a"}},
        {"$and": [{}]},
        {"$and": ["x"]},
        {"$and": [{"s": "a", "n": 1}]},
        {"$and": [{"s": "a"}], "$or": [{"n": 1}]},
        {"s": None},
        {"s": ["a"]},
        {"s": []},
        *BAD_OPERANDS,
    ],
    ids=str,
)
def test_malformed(document: Any) -> None:
    """A filter that breaks the grammar is refused with the service's sentence; the reason is beside it."""
    with pytest.raises(InvalidFilter) as caught:
        filters.parse(document)
    assert str(caught.value) == "Invalid filter"
    assert [(field.path, field.message) for field in caught.value.fields] == [("filter", "Invalid filter")]
    assert caught.value.reason not in {"", "Invalid filter"}


def test_non_filterable_key() -> None:
    """Filtering by a non-filterable key is refused, also deep inside."""
    with pytest.raises(InvalidFilter, match=r"^Invalid use of non-filterable metadata in filter$"):
        filters.parse({"$or": [{"s": "a"}, {"text": {"$exists": True}}]}, non_filterable=("text",))


def test_starts_with_is_enhanced_only() -> None:
    """CLASSIC does not know $startsWith."""
    with pytest.raises(InvalidFilter):
        filters.parse({"s": {"$startsWith": "a"}}, mode=Mode.CLASSIC)


@pytest.mark.parametrize(
    ("document", "count"),
    [
        ({"s": "a"}, 1),
        ({"s": {"$in": [1, 2, 3]}}, 3),
        ({"$and": [{"s": "a"}, {"n": 1}]}, 2),
        ({"n": {"$gt": 1, "$lt": 2}}, 2),
        ({"$or": [{"s": {"$nin": ["a", "b"]}}, {"$and": [{"n": {"$exists": True}}]}]}, 3),
    ],
    ids=str,
)
def test_constraints(document: Any, count: int) -> None:
    """Each evaluated value counts one, the logical wrapper nothing."""
    assert filters.constraints(filters.parse(document)) == count


def test_cap_of_constraints() -> None:
    """100 values are accepted, 101 are not; CLASSIC has no cap."""
    filters.parse({"n": {"$in": list(range(100))}})
    with pytest.raises(InvalidFilter):
        filters.parse({"n": {"$in": list(range(101))}})
    filters.parse({"n": {"$in": list(range(101))}}, mode=Mode.CLASSIC)


def test_depth() -> None:
    """A filter nested without end is refused, not a crash."""
    document: Any = {"s": "abc"}
    for _ in range(63):
        document = {"$and": [document]}
    assert _matches(document)
    with pytest.raises(InvalidFilter):
        filters.parse({"$and": [document]})
