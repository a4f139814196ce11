"""The Condition element: operators and keys known here, everything else refused when the policy is read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Final

from s3vectors_local.iam import patterns
from s3vectors_local.iam.faults import PolicyFault, mapping, texts

Facts = Callable[[str], Sequence[str] | None]
"""Gives the values of a condition key, None where the request has none. Names are lower-case up to a slash."""
Predicate = Callable[[str], bool]

ABSENT: Final = frozenset(
    {
        "aws:calledvia",
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:multifactorauthpresent",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalservicename",
        "aws:resourceorgid",
        "aws:resourceorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:vpcsourceip",
    }
)
"""Keys that no request here has: it comes through no network of AWS, from no service, and there is no organisation."""
_KEYS: Final = ABSENT | {
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceip",
    "aws:tagkeys",
    "aws:viaawsservice",
    "s3vectors:kmskeyarn",
    "s3vectors:ssetype",
}
_TAGS: Final = ("aws:principaltag", "aws:requesttag", "aws:resourcetag", "s3vectors:vectorbuckettag")
_MANY: Final = "aws:tagkeys"
_IF_EXISTS: Final = "IfExists"
_ALL, _ANY = "ForAllValues", "ForAnyValue"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Values of one key against those of the policy."""

    key: str
    matches: tuple[Predicate, ...]
    negated: bool = False
    quantifier: str = ""
    if_exists: bool = False

    def holds(self, facts: Facts) -> bool:
        """Tell. A missing key fails, but not a negation, nor ForAllValues, nor IfExists."""
        values = facts(self.key)
        if values is None:
            return self.if_exists or self.quantifier == _ALL or (self.negated and not self.quantifier)
        passed = (any(match(value) for match in self.matches) != self.negated for value in values)
        return all(passed) if self.quantifier == _ALL else any(passed)


@dataclass(frozen=True, slots=True)
class Presence:
    """The operator Null."""

    key: str
    absent: frozenset[bool]

    def holds(self, facts: Facts) -> bool:
        """Tell whether the key is missing, or not, as asked for."""
        return (facts(self.key) is None) in self.absent


Condition = Comparison | Presence


def parse(value: Any, *, place: str) -> tuple[Condition, ...]:
    """Return the tests of a Condition element, which must all hold. Raises PolicyFault."""
    return tuple(
        _condition(operator, key, values, place=f"{place}.{operator}.{key}")
        for operator, block in mapping(value, place=place).items()
        for key, values in mapping(block, place=f"{place}.{operator}").items()
    )


def _condition(operator: str, key: str, values: Any, *, place: str) -> Condition:
    folded = _key(key, place=place)
    if operator == "Null":
        return Presence(folded, frozenset(each == "true" for each in _booleans(values, place=place)))
    quantifier, name, if_exists = _split(operator)
    if name not in _OPERATORS:
        raise PolicyFault(place, f"{operator} is not an operator known here")
    if folded == _MANY and not quantifier:
        raise PolicyFault(place, f"{key} holds several values: use {_ANY} or {_ALL}")
    compile_, negated = _OPERATORS[name]
    wanted = _booleans(values, place=place) if name == "Bool" else texts(values, place=place)
    try:
        matches = tuple(compile_(each) for each in wanted)
    except ValueError as error:
        raise PolicyFault(place, str(error)) from error
    return Comparison(folded, matches, negated, quantifier, if_exists)


def _key(key: str, *, place: str) -> str:
    """Names of keys are case-insensitive; the tag after the slash keeps its letters, for the exact match first."""
    name, slash, tag = key.partition("/")
    folded = name.lower()
    if (folded in _TAGS and tag) or (folded in _KEYS and not slash):
        return folded + slash + tag
    raise PolicyFault(place, f"{key} is not a condition key known here")


def _split(operator: str) -> tuple[str, str, bool]:
    quantifier, colon, name = operator.rpartition(":")
    if colon and quantifier not in {_ALL, _ANY}:
        name = operator
    return quantifier, name.removesuffix(_IF_EXISTS), name.endswith(_IF_EXISTS)


def _booleans(values: Any, *, place: str) -> tuple[str, ...]:
    listed = values if isinstance(values, list) else [values]
    found = tuple(str(each).lower() for each in listed if isinstance(each, (bool, str)))
    if not found or len(found) != len(listed) or not set(found) <= {"true", "false"}:
        raise PolicyFault(place, "must be true or false")
    return found


def _equal(wanted: str) -> Predicate:
    return lambda value: value == wanted


def _equal_folded(wanted: str) -> Predicate:
    return lambda value: value.casefold() == wanted.casefold()


def _like(pattern: str) -> Predicate:
    compiled = patterns.text(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _arn_like(pattern: str) -> Predicate:
    compiled = patterns.arn(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _in_network(text: str) -> Predicate:
    network = ip_network(text, strict=False)
    return lambda value: ip_address(value) in network


_OPERATORS: Final[Mapping[str, tuple[Callable[[str], Predicate], bool]]] = {
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "Bool": (_equal_folded, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "StringEquals": (_equal, False),
    "StringEqualsIgnoreCase": (_equal_folded, False),
    "StringLike": (_like, False),
    "StringNotEquals": (_equal, True),
    "StringNotEqualsIgnoreCase": (_equal_folded, True),
    "StringNotLike": (_like, True),
}
