"""Patterns of IAM: * is any number of characters, ? is one. Matching takes linear time whatever the pattern."""

import re
from collections.abc import Iterable
from typing import Final

ARN_FIELDS: Final = 6
_ANY: Final = "."
_NO_COLON: Final = "[^:]"


def text(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of any text, case-sensitive."""
    return re.compile(_regex(pattern, _ANY), re.DOTALL)


def actions(patterns: Iterable[str]) -> re.Pattern[str]:
    """Compile patterns of actions, of which one must match; case-insensitive."""
    return _either((_regex(pattern, _ANY) for pattern in patterns), re.IGNORECASE | re.ASCII)


def resources(patterns: Iterable[str]) -> re.Pattern[str]:
    """Compile patterns of ARNs, of which one must match; `*` alone matches everything."""
    return _either((".*" if pattern == "*" else _arn(pattern) for pattern in patterns), 0)


def arn(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of an ARN. A wildcard stays inside its field, except in the last; missing fields are any."""
    return re.compile(_arn(pattern), re.DOTALL)


def _arn(pattern: str) -> str:
    fields = pattern.split(":", ARN_FIELDS - 1)
    fields += ["*"] * (ARN_FIELDS - len(fields))
    return ":".join([*(_regex(field, _NO_COLON) for field in fields[:-1]), _regex(fields[-1], _ANY)])


def _either(alternatives: Iterable[str], flags: int) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in alternatives), flags | re.DOTALL)


def _regex(pattern: str, one: str) -> str:
    """Translate. The first place where a part between two stars fits is as good as any later one: never go back."""
    first, *rest = ["".join(one if each == "?" else re.escape(each) for each in part) for part in pattern.split("*")]
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>{one}*?{part})" for part in middle if part) + f"{one}*{last}"
