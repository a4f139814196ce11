"""The size of metadata as the service counts it, and what is refused before it is sent."""

from typing import Any

import pytest

from nestor.adapters.s3vectors.limits import NON_FILTERABLE, check_row, metadata_size
from nestor.errors import InvalidInput

SIZES: dict[str, tuple[dict[str, Any], int]] = {
    "nothing": ({}, 4),
    "string": ({"ab": "abc"}, 4 + 8 + 2 + 3),
    "empty": ({"": ""}, 4 + 8),
    "bytes, not letters": ({"é": "漢🙂"}, 4 + 8 + 2 + 3 + 4),
    "integer": ({"a": 10**30}, 4 + 8 + 1 + 4),
    "float": ({"a": 0.5}, 4 + 8 + 1 + 4),
    "boolean": ({"a": True}, 4 + 8 + 1),
    "strings": ({"a": ["bc", ""]}, 4 + 8 + 1 + (4 + 2) + 4),
    "numbers": ({"a": [1, 2.5]}, 4 + 8 + 1 + 2 * (4 + 4)),
    "two entries": ({"a": 1, "b": True}, 4 + 13 + 9),
}


@pytest.mark.parametrize(("metadata", "size"), SIZES.values(), ids=SIZES)
def test_the_size_follows_the_model(metadata: dict[str, Any], size: int) -> None:
    """As in the published probes of the service."""
    assert metadata_size(metadata) == size


def test_keys_can_be_left_aside() -> None:
    """For the filterable part."""
    assert metadata_size({"a": 1, "text": "x" * 999}, without=NON_FILTERABLE) == metadata_size({"a": 1})


def test_both_limits_are_inclusive() -> None:
    """2,048 bytes to filter by and 40,960 in all are accepted, one more is refused by a sentence with the key."""
    filterable = {"a": "x" * (2_048 - 13)}
    whole = filterable | {"text": "x" * (40_960 - 2_048 - 12)}
    assert metadata_size(filterable) == 2_048
    assert metadata_size(whole) == 40_960
    check_row("k", filterable)
    check_row("k", whole)
    with pytest.raises(InvalidInput, match=r"key 'k'.*2,049 bytes to filter by"):
        check_row("k", {"a": filterable["a"] + "x"})
    with pytest.raises(InvalidInput, match=r"key 'k'.*40,961 bytes"):
        check_row("k", whole | {"text": whole["text"] + "x"})


REFUSED: dict[str, Any] = {
    "None": None,
    "nested": {"b": 1},
    "empty list": [],
    "mixed list": ["a", 1],
    "booleans in a list": [True],
    "lists in a list": [[1]],
    "nan": float("nan"),
    "infinity in a list": [float("inf")],
    "lone surrogate": "\ud800",
    "bytes": b"a",
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_values_that_the_service_refuses_are_named(value: Any) -> None:
    """Nothing is trimmed or dropped in silence."""
    with pytest.raises(InvalidInput, match="metadata of key 'k'"):
        check_row("k", {"a": value})


def test_fifty_entries_are_the_most() -> None:
    """And the sentence says so."""
    check_row("k", {str(number): 1 for number in range(50)})
    with pytest.raises(InvalidInput, match="51 entries"):
        check_row("k", {str(number): 1 for number in range(51)})


@pytest.mark.parametrize("key", ["", "é" * 513, "\ud800"], ids=["empty", "too many bytes", "surrogate"])
def test_keys_have_limits_in_bytes(key: str) -> None:
    """1 to 1,024 of them."""
    check_row("é" * 512, {})
    with pytest.raises(InvalidInput):
        check_row(key, {})
