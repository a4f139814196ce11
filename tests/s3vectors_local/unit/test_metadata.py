from typing import Any

import pytest

from s3vectors_local import metadata
from s3vectors_local.errors import InvalidRecord


def _check(value: Any, non_filterable: tuple[str, ...] = ("bulk",)) -> None:
    metadata.check(value, non_filterable=non_filterable, key="k", path="vectors[0].metadata")


@pytest.mark.parametrize(
    "value",
    [
        {"f": "x" * 2035},
        {"f" * 10: "x" * 2026},
        {"bulk": "x" * 40944},
        {"f": "é" * 1017},
    ],
    ids=["ascii", "long key", "non-filterable", "two-byte"],
)
def test_largest_accepted(value: dict[str, str]) -> None:
    """The longest values that published probes found accepted are accepted; one character more is not."""
    _check(value)
    ((key, text),) = value.items()
    with pytest.raises(InvalidRecord):
        _check({key: text + text[0]})


def test_size_model() -> None:
    """Numbers count 4, booleans 0, elements 4 more than themselves, entries 8 and their key, the object 4."""
    assert metadata.size({}) == 4
    assert metadata.size({"ab": 1, "c": 2.5}) == 4 + (8 + 2 + 4) + (8 + 1 + 4)
    assert metadata.size({"a": True, "é": "éé"}) == 4 + (8 + 1) + (8 + 2 + 4)
    assert metadata.size({"a": ["xy", ""], "b": [1]}) == 4 + (8 + 1 + 4 + 2 + 4) + (8 + 1 + 4 + 4)


def test_keys() -> None:
    """50 keys are accepted, 51 are not."""
    _check({str(number): True for number in range(50)})
    with pytest.raises(InvalidRecord, match="at most 50 keys"):
        _check({str(number): True for number in range(51)})


@pytest.mark.parametrize("value", ["", "a", 0, -1.5, True, ["a", "b"], [1, 2.5], [""], ["dup", "dup"]])
@pytest.mark.parametrize("key", ["", "k", "$eq", "a.b", "bulk", "x" * 1024])
def test_accepted(key: str, value: Any) -> None:
    """Strings, numbers, booleans and arrays of one kind, under any key."""
    _check({key: value})


@pytest.mark.parametrize("key", ["plain", "bulk"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "Metadata values must be strings, numbers, booleans, or arrays"),
        ({"a": 1}, "Metadata values must be strings, numbers, booleans, or arrays"),
        (float("nan"), "Metadata values must be strings, numbers, booleans, or arrays"),
        ([], "Empty arrays are not allowed in metadata"),
        ([True], "Metadata array values must be strings or numbers"),
        ([1, "a"], "Metadata array values must be strings or numbers"),
        ([1, True], "Metadata array values must be strings or numbers"),
        ([None], "Metadata array values must be strings or numbers"),
        ([[1]], "Metadata array values must be strings or numbers"),
        ([float("inf")], "Metadata array values must be strings or numbers"),
    ],
)
def test_refused(key: str, value: Any, reason: str) -> None:
    """Every other value is refused, under a non-filterable key too, in the service's words and with the path."""
    with pytest.raises(InvalidRecord) as caught:
        _check({key: value})
    assert str(caught.value) == f"Invalid record for key 'k': {reason}"
    assert caught.value.fields[0].path == "vectors[0].metadata"


def test_not_an_object() -> None:
    """Metadata is an object."""
    with pytest.raises(InvalidRecord):
        _check(["a"])


def test_whole_limit_counts_both_parts() -> None:
    """The 40 KB hold filterable and non-filterable keys together."""
    with pytest.raises(InvalidRecord, match="at most 40960 bytes"):
        _check({"bulk": "x" * 40000, "f": "x" * 1000})
