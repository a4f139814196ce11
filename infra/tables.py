"""A table of settings, as TOML has it, in place of a frozen value's defaults; pure. What makes no sense is named."""

import dataclasses
import re
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ConfigFault(ValueError):
    """An environment cannot be used; the text says which setting, and what it may be."""


def within(name: str, value: float, least: float, most: float) -> None:
    """Raise ConfigFault for a number outside of these bounds."""
    if not least <= value <= most:
        raise ConfigFault(f"{name} is {value}; it must be {least:,} to {most:,}.")


def matches(name: str, value: str, pattern: re.Pattern[str], words: str) -> None:
    """Raise ConfigFault for a text that is not of that form, which the words describe."""
    if not pattern.fullmatch(value):
        raise ConfigFault(f"{name} is {value!r}; it must be {words}.")


def changed(base: T, table: Mapping[str, Any], *, where: str = "") -> T:
    """Return the base, a frozen dataclass, with the settings of the table in place of its own. Raises ConfigFault."""
    hints = get_type_hints(type(base))
    for name in table:
        if name not in hints:
            raise ConfigFault(f"{where}{name} is no setting; known are {', '.join(hints)}.")
    values = {
        name: changed(getattr(base, name), value, where=f"{where}{name}.")
        if dataclasses.is_dataclass(hints[name]) and isinstance(value, dict)
        else _value(hints[name], value, where=where + name)
        for name, value in table.items()
    }
    replaced: T = dataclasses.replace(base, **values)  # type: ignore[type-var]  # a dataclass, says whoever calls
    return replaced


def _value(hint: Any, value: Any, *, where: str) -> Any:
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    if get_origin(hint) is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if get_origin(hint) is Mapping and isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return types.MappingProxyType(value)
    if hint in {str, int, bool} and type(value) is hint:  # a boolean is no integer here
        return value
    if hint is float and type(value) in {int, float}:
        return float(value)
    raise ConfigFault(f"{where} is {value!r}; it must be {_words(hint)}.")


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    if dataclasses.is_dataclass(hint) or get_origin(hint) is Mapping:
        return "a table"
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return words.get(hint, "a list of texts")
