"""Fields of settings that know the variable they are read from; every complaint names it.

A field without a default must be set.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, field, fields
from typing import Any

from nestor.errors import InvalidInput

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SHARE = re.compile(r"[01]|0?\.[0-9]+|1\.0+")


class Variables:
    """The names of the variables that must be set, asked of a class of settings."""

    def __get__(self, settings: Any, kind: type[Any]) -> tuple[str, ...]:
        """Return them in the order of the fields."""
        return tuple(each.metadata["variable"] for each in fields(kind) if each.default is MISSING)


def text(variable: str, default: str | None = None) -> Any:
    """Return the field of a text that is not empty."""
    return _field(variable, str, default)


def optional(variable: str) -> Any:
    """Return the field of a text that may be left out, and is empty then."""
    return field(
        default="", metadata={"variable": variable, "read": lambda environment: environment.get(variable, "").strip()}
    )


def bucket(variable: str) -> Any:
    """Return the field of a bucket's name."""

    def read(value: str) -> str:
        if not _BUCKET.fullmatch(value):
            raise InvalidInput(
                f"{variable} is {value!r}, which is no bucket name: give the name, no ARN and no address."
            )
        return value

    return _field(variable, read)


def number(variable: str, default: int, *, low: int, high: int) -> Any:
    """Return the field of a whole number."""

    def read(value: str) -> int:
        if not value.isdecimal() or not low <= int(value) <= high:
            raise InvalidInput(f"{variable} is {value!r}; it must be a whole number from {low:,} to {high:,}.")
        return int(value)

    return _field(variable, read, default)


def share(variable: str) -> Any:
    """Return the field of a number from 0 to 1, 0 where it is left out."""
    return _field(variable, lambda value: read_share(value, variable), 0.0)


def read_share(value: str, variable: str) -> float:
    """Return the number, 0 to 1. Raises InvalidInput."""
    if not _SHARE.fullmatch(value):
        raise InvalidInput(f"{variable} is {value!r}; it must be a number from 0 to 1, such as 0.01.")
    return float(value)


def choice(variable: str, default: str, *, among: Collection[str]) -> Any:
    """Return the field of one of some words."""

    def read(value: str) -> str:
        if value not in among:
            raise InvalidInput(f"{variable} is {value!r}; it must be one of {', '.join(among)}.")
        return value

    return _field(variable, read, default)


def flag(variable: str) -> Any:
    """Return the field of true or false, false where it is left out."""

    def read(value: str) -> bool:
        if value.lower() not in {"true", "false"}:
            raise InvalidInput(f"{variable} is {value!r}; it must be 'true' or 'false'.")
        return value.lower() == "true"

    return _field(variable, read, default=False)


def _field(variable: str, read: Callable[[str], Any], default: Any = None) -> Any:
    def from_environment(environment: Mapping[str, str]) -> Any:
        value = environment.get(variable, "").strip()
        if value:
            return read(value)
        if default is None:
            raise InvalidInput(f"The environment variable {variable} is missing or empty: set it for this function.")
        return default

    metadata = {"variable": variable, "read": from_environment}
    return field(metadata=metadata) if default is None else field(default=default, metadata=metadata)
