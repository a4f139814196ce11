"""Filter documents applied to metadata in this process, for what is not in an index; pure.

The grammar of S3 Vectors, as far as its users need it: the operators, one field a condition, `$and` and `$or`. A list
matches where one of its elements does; what lacks the field matches only `$ne`, `$nin` and `$exists: false`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nestor.domain import Filter, Metadata
from nestor.errors import InvalidInput

Predicate = Callable[[Metadata], bool]
_Test = Callable[[Any, Any], bool]


def predicate(where: Filter | None) -> Predicate:
    """Return what says whether metadata matches. Raises InvalidInput for a document that cannot be read."""
    if not where:
        return lambda _: True
    if not isinstance(where, Mapping):
        raise InvalidInput("A filter is an object: a field and its condition.")
    if len(where) != 1:
        raise InvalidInput(f"One field a condition: join {sorted(where)} with $and.")
    ((name, operand),) = where.items()
    if name in {"$and", "$or"}:
        if not isinstance(operand, list | tuple) or not operand:
            raise InvalidInput(f"{name} takes a list of at least one filter.")
        parts = [predicate(part) for part in operand]
        join = all if name == "$and" else any
        return lambda metadata: join(part(metadata) for part in parts)
    return _condition(name, operand if isinstance(operand, Mapping) else {"$eq": operand})


def _condition(name: str, operators: Mapping[str, Any]) -> Predicate:
    if not operators or not operators.keys() <= _OPERATORS.keys():
        raise InvalidInput(f"Cannot read the condition on {name!r}: the operators are {', '.join(_OPERATORS)}.")
    for operator, operand in operators.items():
        check, wanted = _OPERANDS[operator]
        if not check(operand):
            raise InvalidInput(f"Cannot read the condition on {name!r}: {operator} takes {wanted}.")
    tests = [(_OPERATORS[operator], operand) for operator, operand in operators.items()]
    return lambda metadata: all(test(metadata.get(name), operand) for test, operand in tests)


def _some(compare: _Test) -> _Test:
    """Return the comparison as it holds for a list, too, and for nothing that is not there."""

    def test(value: Any, operand: Any) -> bool:
        return any(compare(each, operand) for each in (value if isinstance(value, list) else [value]))

    return lambda value, operand: value is not None and test(value, operand)


def _number(compare: _Test) -> _Test:
    return _some(lambda value, operand: _is_number(value) and compare(value, operand))


def _equal(value: Any, operand: Any) -> bool:
    return isinstance(value, bool) == isinstance(operand, bool) and bool(value == operand)


_any_equal = _some(_equal)
_any_in = _some(lambda value, operand: any(_equal(value, each) for each in operand))

_OPERATORS: dict[str, _Test] = {
    "$eq": _any_equal,
    "$ne": lambda value, operand: not _any_equal(value, operand),
    "$gt": _number(lambda value, operand: bool(value > operand)),
    "$gte": _number(lambda value, operand: bool(value >= operand)),
    "$lt": _number(lambda value, operand: bool(value < operand)),
    "$lte": _number(lambda value, operand: bool(value <= operand)),
    "$in": _any_in,
    "$nin": lambda value, operand: not _any_in(value, operand),
    "$exists": lambda value, operand: (value is not None) == operand,
    "$startsWith": _some(lambda value, operand: isinstance(value, str) and value.startswith(operand)),
}


def _is_number(operand: Any) -> bool:
    return isinstance(operand, int | float) and not isinstance(operand, bool)


def _is_scalar(operand: Any) -> bool:
    return isinstance(operand, str | int | float)


def _is_list(operand: Any) -> bool:
    return isinstance(operand, list | tuple) and bool(operand) and all(map(_is_scalar, operand))


_SCALAR = (_is_scalar, "a text, a number or a boolean")
_NUMBER = (_is_number, "a number")
_LIST = (_is_list, "a list of at least one text, number or boolean")
_OPERANDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "$eq": _SCALAR,
    "$ne": _SCALAR,
    "$gt": _NUMBER,
    "$gte": _NUMBER,
    "$lt": _NUMBER,
    "$lte": _NUMBER,
    "$in": _LIST,
    "$nin": _LIST,
    "$exists": (lambda operand: isinstance(operand, bool), "true or false"),
    "$startsWith": (lambda operand: isinstance(operand, str), "a text"),
}
"""What each operator is given."""
