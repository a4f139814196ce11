"""Request bodies against the bounds of the service model: members outside them are counted, then refused at once."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import numpy as np

from s3vectors_local import limits
from s3vectors_local.errors import ConstraintsViolated, Field, SerializationException
from s3vectors_local.model import Float32

Bounds = tuple[int, int]
Kind = TypeVar("Kind")

# model: the pattern of TagKey and TagValue. Python's re has no \p{..}: letters, numbers and separators by other means.
TAG_PATTERN: Final = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"
_JSON: Final[Mapping[type, str]] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number with a fraction",
    int: "an integer",
    list: "an array",
    str: "a string",
    type(None): "null",
}
_LARGEST: Final = 2.0**63
_NON_FINITE: Final = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}  # rest-json writes these as strings


class Members:
    """The members of one structure. Read them all, then call `check`; unknown members are ignored, null is absent."""

    def __init__(self, body: Mapping[str, Any], *, path: str = "", violations: list[Field] | None = None) -> None:
        """Start at a path inside the request; a structure inside another shares its violations."""
        self._body = body
        self._path = path
        self._violations: list[Field] = [] if violations is None else violations

    def check(self) -> None:
        """Raise ConstraintsViolated if any member read so far is outside its bounds."""
        if self._violations:
            raise ConstraintsViolated(self._violations)

    def has(self, name: str) -> bool:
        """Tell whether a member is present."""
        return self._body.get(name) is not None

    def text(
        self,
        name: str,
        *,
        length: Bounds | None = None,
        pattern: str | None = None,
        choices: Iterable[str] | None = None,
        required: bool = False,
    ) -> str | None:
        """Return a string."""
        value = self._typed(name, str, required=required)
        if value is not None:
            self._check_text(f"{self._path}/{name}", value, length, pattern, choices)
        return value

    def needed_text(self, name: str, **bounds: Any) -> str:
        """Return a required string, an empty one where it is missing: `check` will tell."""
        return self.text(name, required=True, **bounds) or ""

    def number(self, name: str, *, bounds: Bounds, required: bool = False, open_above: bool = False) -> int | None:
        """Return a whole number. `open_above`: the upper bound is not the model's, so the lower one is told alone."""
        value = self._typed(name, int, required=required)
        low, high = bounds
        if value is not None and open_above and value < low:
            self._violated(f"{self._path}/{name}", f"Member must be greater than or equal to {low}")
        elif value is not None and not low <= value <= high:
            self._violated(f"{self._path}/{name}", f"Member must be between {low} and {high}, inclusive")
        return value

    def needed_number(self, name: str, *, bounds: Bounds, open_above: bool = False) -> int:
        """Return a required whole number, 0 where it is missing: `check` will tell."""
        return self.number(name, bounds=bounds, required=True, open_above=open_above) or 0

    def flag(self, name: str) -> bool:
        """Return a boolean, False where it is missing."""
        return bool(self._typed(name, bool))

    def structure(self, name: str, *, required: bool = False) -> "Members | None":
        """Return a structure inside this one."""
        value = self._typed(name, dict, required=required)
        if value is None:
            return None
        return Members(value, path=f"{self._path}/{name}", violations=self._violations)

    def structures(self, name: str, *, count: Bounds, required: bool = False) -> list["Members"]:
        """Return a list of structures."""
        path = f"{self._path}/{name}"
        return [
            Members(_of(dict, item, f"{path}/{place}"), path=f"{path}/{place}", violations=self._violations)
            for place, item in enumerate(self._list(name, count, required=required))
        ]

    def texts(
        self,
        name: str,
        *,
        count: Bounds | None = None,
        length: Bounds,
        pattern: str | None = None,
        required: bool = False,
    ) -> list[str]:
        """Return a list of strings."""
        path = f"{self._path}/{name}"
        values = [
            _of(str, item, f"{path}/{place}") for place, item in enumerate(self._list(name, count, required=required))
        ]
        for place, value in enumerate(values):
            self._check_text(f"{path}/{place}", value, length, pattern, None)
        return values

    def tags(self, name: str, *, required: bool = False) -> dict[str, str]:
        """Return a map of tags."""
        tags = self._typed(name, dict, required=required) or {}
        path = f"{self._path}/{name}"
        for key, value in tags.items():
            self._check_text(path, key, limits.TAG_KEY_LENGTH, TAG_PATTERN, None)
            value_path = f"{path}/{key}"
            self._check_text(value_path, _of(str, value, value_path), limits.TAG_VALUE_LENGTH, TAG_PATTERN, None)
        return tags

    def vector(self, name: str, *, required: bool = False) -> Float32 | None:
        """Return the float32 arm of a VectorData; what float32 cannot hold becomes infinite."""
        data = self.structure(name, required=required)
        if data is None:
            return None
        values = data.document("float32")
        if isinstance(values, np.ndarray):
            return values
        values = data.array("float32", required=True)
        return None if values is None else _floats(values, f"{self._path}/{name}/float32")

    def document(self, name: str) -> Any:
        """Return a member of any JSON type, None where it is missing."""
        return self._body.get(name)

    def array(self, name: str, *, required: bool = False) -> list[Any] | None:
        """Return a list of any elements."""
        return self._typed(name, list, required=required)

    def _typed(self, name: str, kind: type[Kind], *, required: bool = False) -> Kind | None:
        value = self._body.get(name)
        if value is not None:
            return _of(kind, value, f"{self._path}/{name}")
        if required:
            self._violated(f"{self._path}/{name}", "Member must not be null")
        return None

    def _list(self, name: str, count: Bounds | None, *, required: bool) -> list[Any]:
        values = self._typed(name, list, required=required)
        if values is not None and count and not count[0] <= len(values) <= count[1]:
            self._violated(f"{self._path}/{name}", _length_rule(count), length=len(values))
            return []
        return values or []

    def _check_text(
        self, path: str, value: str, length: Bounds | None, pattern: str | None, choices: Iterable[str] | None
    ) -> None:
        if length and not length[0] <= len(value) <= length[1]:
            self._violated(path, _length_rule(length), length=len(value))
        if pattern and not _matches(pattern, value):
            self._violated(path, f"Member must satisfy regular expression pattern: ^{pattern}$")
        if choices and value not in choices:
            self._violated(path, f"Member must satisfy enum value set: [{', '.join(choices)}]")

    def _violated(self, path: str, rule: str, *, length: int | None = None) -> None:
        value = "Value" if length is None else f"Value with length {length}"
        self._violations.append(Field(path, f"{value} at '{path}' failed to satisfy constraint: {rule}"))


def _length_rule(length: Bounds) -> str:
    return f"Member must have length between {length[0]} and {length[1]}, inclusive"


def _of(kind: type[Kind], value: Any, path: str) -> Kind:
    # A bool is an int in Python, not in JSON.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SerializationException(f"Value at '{path}' must be {_JSON[kind]}, not {_named(value)}")
    return value


def _named(value: Any) -> str:
    # JSON's integers beyond 64 bits arrive as floats.
    return "one beyond 64 bits" if isinstance(value, float) and abs(value) >= _LARGEST else _JSON[type(value)]


def _floats(values: list[Any], path: str) -> Float32:
    kinds = set(map(type, values))
    if str in kinds:
        values = [_NON_FINITE.get(value, value) if isinstance(value, str) else value for value in values]
        kinds = set(map(type, values))
    if not kinds <= {int, float}:
        place, other = next((place, value) for place, value in enumerate(values) if type(value) not in {int, float})
        raise SerializationException(f"Value at '{path}/{place}' must be a number, not {_JSON[type(other)]}")
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32)


def _matches(pattern: str, value: str) -> bool:
    if pattern != TAG_PATTERN:
        return re.fullmatch(pattern, value, re.ASCII) is not None
    return all(character in "_.:/=+-@" or _is_letter_number_or_separator(character) for character in value)


def _is_letter_number_or_separator(character: str) -> bool:
    from unicodedata import category

    return category(character)[0] in "LNZ"
