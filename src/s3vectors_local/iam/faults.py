"""What is wrong with a policy, and where; and the small readers that tell it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class PolicyFault(ValueError):
    """A policy that is not understood in every part. `place` is a path such as Statement[0].Effect."""

    def __init__(self, place: str, reason: str) -> None:
        """Put the place before the reason."""
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


def load(text: str) -> Any:
    """Return the JSON of a text, in which no object may hold a name twice. Raises PolicyFault with line and column.

    Nothing of the text is in the fault: it may hold secrets.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise PolicyFault("", f"is not valid JSON: line {error.lineno} column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise PolicyFault("", "is nested too deep") from None


def mapping(value: Any, *, place: str, known: Iterable[str] = ()) -> Mapping[str, Any]:
    """Return a JSON object, of known members only where some are named. Raises PolicyFault."""
    if not isinstance(value, dict):
        raise PolicyFault(place, "must be an object")
    names = tuple(known)
    for name in value:
        if names and name not in names:
            raise PolicyFault(f"{place}.{name}" if place else name, "is not an element known here")
    return value


def texts(value: Any, *, place: str) -> tuple[str, ...]:
    """Return one string, or a list of at least one. Raises PolicyFault."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str) and each for each in values):
        raise PolicyFault(place, "must be a string or a list of strings, none empty")
    for each in values:
        if "${" in each:
            raise PolicyFault(place, f"{each} holds a policy variable, which is not supported")
    return tuple(values)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise PolicyFault(name, "is there twice in one object")
        found[name] = value
    return found
