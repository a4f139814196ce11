"""Metadata filters: document -> checked tree -> predicate. Pure.

Grammar: Amazon S3 User Guide, "s3-vectors-metadata-filtering". Strictness: published probes of the live service. What
neither tells is decided here: `$ne` and `$nin` are the negations of `$eq` and `$in`, so a vector without the key
matches; on an array every other operator holds if it holds for one element.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from s3vectors_local import limits
from s3vectors_local.errors import InvalidFilter
from s3vectors_local.model import Metadata, Mode

Scalar = str | int | float | bool
Predicate = Callable[[Metadata], bool]
Test = Callable[[Any], bool]

_MISSING: Final = object()
_LOGICAL: Final = ("$and", "$or")


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key."""

    key: str
    operator: str
    operand: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One part holds."""

    parts: tuple["Tree", ...]


Tree = Condition | All | Either


def parse(document: Any, *, non_filterable: Collection[str] = (), mode: Mode = Mode.ENHANCED) -> Tree:
    """Return the checked tree of a filter document. Raises InvalidFilter.

    ENHANCED knows `$startsWith` and caps the constraints at 100; CLASSIC has neither.
    """
    tree = _parse(document, frozenset(non_filterable), mode, depth=1)
    if mode is Mode.ENHANCED and constraints(tree) > limits.FILTER_CONSTRAINTS:
        raise InvalidFilter(f"a filter may evaluate at most {limits.FILTER_CONSTRAINTS} values")
    return tree


def constraints(tree: Tree) -> int:
    """Return how many values the filter evaluates: each element of `$in` and `$nin` counts, `$and` and `$or` do not."""
    if isinstance(tree, Condition):
        return len(tree.operand) if isinstance(tree.operand, tuple) else 1
    return sum(map(constraints, tree.parts))


def predicate(tree: Tree) -> Predicate:
    """Return the function that tells whether a vector's filterable metadata matches."""
    if isinstance(tree, Condition):
        return _condition(tree)
    parts = [predicate(part) for part in tree.parts]
    if isinstance(tree, All):
        return lambda metadata: all(part(metadata) for part in parts)
    return lambda metadata: any(part(metadata) for part in parts)


def _parse(document: Any, non_filterable: Collection[str], mode: Mode, *, depth: int) -> Tree:
    if depth > limits.FILTER_DEPTH:
        raise InvalidFilter(f"a filter may be at most {limits.FILTER_DEPTH} levels deep")
    if not isinstance(document, Mapping) or len(document) != 1:
        raise InvalidFilter("a condition is an object of exactly one key; combine several with $and")
    ((key, value),) = document.items()
    if key in _LOGICAL:
        return _logical(key, value, non_filterable, mode, depth=depth)
    if key.startswith("$"):
        raise InvalidFilter(f"{key} is not a logical operator")
    if key in non_filterable:
        message = "Invalid use of non-filterable metadata in filter"
        raise InvalidFilter(message, message=message)
    return _field(key, value, mode)


def _logical(operator: str, value: Any, non_filterable: Collection[str], mode: Mode, *, depth: int) -> Tree:
    if not isinstance(value, list) or not value:
        raise InvalidFilter(f"{operator} takes a non-empty array of filters")
    parts = tuple(_parse(part, non_filterable, mode, depth=depth + 1) for part in value)
    return All(parts) if operator == "$and" else Either(parts)


def _field(key: str, value: Any, mode: Mode) -> Tree:
    if not isinstance(value, Mapping):
        return Condition(key, "$eq", _operand("$eq", value))
    if not value:
        raise InvalidFilter(f"the key {key} has an empty object of operators")
    conditions = tuple(_operation(key, operator, operand, mode) for operator, operand in value.items())
    return conditions[0] if len(conditions) == 1 else All(conditions)


def _operation(key: str, operator: str, operand: Any, mode: Mode) -> Condition:
    if operator not in _CHECKS or (operator == "$startsWith" and mode is Mode.CLASSIC):
        raise InvalidFilter(f"{operator} is not an operator of a key")
    return Condition(key, operator, _operand(operator, operand))


def _operand(operator: str, operand: Any) -> Scalar | tuple[Scalar, ...]:
    check, wanted = _CHECKS[operator]
    if not check(operand):
        raise InvalidFilter(f"{operator} takes {wanted}")
    return tuple(operand) if isinstance(operand, list) else operand


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool) or _is_number(value)


def _is_number(value: Any) -> bool:
    # Without what no JSON holds, and no order has a place for.
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_scalar, value))


_SCALAR = (_is_scalar, "a string, a number or a boolean")
_NUMBER = (_is_number, "a number")
_LIST = (_is_list, "a non-empty array of strings, numbers and booleans")
_CHECKS: Mapping[str, tuple[Test, str]] = {
    "$eq": _SCALAR,
    "$ne": _SCALAR,
    "$gt": _NUMBER,
    "$gte": _NUMBER,
    "$lt": _NUMBER,
    "$lte": _NUMBER,
    "$in": _LIST,
    "$nin": _LIST,
    "$exists": (lambda value: isinstance(value, bool), "true or false"),
    "$startsWith": (lambda value: isinstance(value, str), "a string"),
}


def _condition(condition: Condition) -> Predicate:
    key, operator, operand = condition.key, condition.operator, condition.operand
    if operator == "$exists":
        return lambda metadata: (key in metadata) is operand
    if operator in {"$ne", "$nin"}:
        positive = _anywhere(_equals_one(operand))
        return lambda metadata: not positive(metadata.get(key, _MISSING))
    test = _anywhere(_scalar_test(operator, operand))
    return lambda metadata: test(metadata.get(key, _MISSING))


def _anywhere(test: Test) -> Test:
    """Let the test of a scalar hold for an array when it holds for one element."""
    return lambda value: any(map(test, value)) if type(value) is list else test(value)


def _scalar_test(operator: str, operand: Any) -> Test:
    if operator in {"$eq", "$in"}:
        return _equals_one(operand)
    if operator == "$startsWith":
        return lambda value: type(value) is str and value.startswith(operand)
    return _ORDER[operator](operand)


def _equals_one(operand: Any) -> Test:
    """Equal to the operand or, for a list, to one of it. True is not 1 here, though Python says so."""
    values: Sequence[Scalar] = operand if isinstance(operand, tuple) else (operand,)
    wanted = frozenset((type(value) is bool, value) for value in values)
    if len(wanted) > 1:
        return lambda value: (type(value) is bool, value) in wanted
    ((is_bool, one),) = wanted
    return lambda value: value == one and (type(value) is bool) is is_bool


_NUMBERS: Final = frozenset({int, float})
_ORDER: Mapping[str, Callable[[Any], Test]] = {
    "$gt": lambda bound: lambda value: type(value) in _NUMBERS and value > bound,
    "$gte": lambda bound: lambda value: type(value) in _NUMBERS and value >= bound,
    "$lt": lambda bound: lambda value: type(value) in _NUMBERS and value < bound,
    "$lte": lambda bound: lambda value: type(value) in _NUMBERS and value <= bound,
}
