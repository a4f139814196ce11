from typing import Any

import numpy as np
import pytest

from s3vectors_local.errors import ConstraintsViolated, SerializationException
from s3vectors_local.operations.shapes import Members


def test_null_is_absent() -> None:
    """A member that is null is as one that is not there."""
    members = Members({"a": None})
    assert members.text("a") is None
    assert members.number("a", bounds=(1, 2)) is None
    assert members.flag("a") is False
    assert members.texts("a", count=(1, 2), length=(1, 2)) == []
    assert not members.has("a")
    members.check()


def test_all_violations_are_told_at_once() -> None:
    """Violations of nested structures are counted with the others, in the order of reading."""
    members = Members({"list": [{"key": ""}, {"key": "ok"}, {}], "number": 9})
    assert members.number("number", bounds=(1, 5)) == 9
    assert [item.needed_text("key", length=(1, 2)) for item in members.structures("list", count=(1, 5))] == [
        "",
        "ok",
        "",
    ]
    with pytest.raises(ConstraintsViolated, match=r"^3 validation errors detected") as caught:
        members.check()
    assert [field.path for field in caught.value.fields] == ["/number", "/list/0/key", "/list/2/key"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, -2.5], [1, -2.5]),
        ([0.1, 1e39], [np.float32(0.1), np.inf]),
        (["NaN", "Infinity", "-Infinity"], [np.nan, np.inf, -np.inf]),
        ([], []),
    ],
)
def test_vector(values: list[Any], expected: list[float]) -> None:
    """Components become float32; what it cannot hold, and rest-json's three words, become what is not finite."""
    found = Members({"v": {"float32": values}}).vector("v")
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


@pytest.mark.parametrize("value", [None, True, "1", "nan", [1], {}])
def test_not_a_number(value: Any) -> None:
    """A component that is no number is refused, never guessed."""
    with pytest.raises(SerializationException):
        Members({"v": {"float32": [1, value]}}).vector("v")


@pytest.mark.parametrize("value", ["x", "Ünï 1_.:/=+-@", "\U0001d49c", "٣", " ", ""])
def test_characters_of_tags(value: str) -> None:
    """Letters, numbers and separators of any script, and some signs."""
    members = Members({"tags": {"k": value}})
    assert members.tags("tags") == {"k": value}
    members.check()
