"""Policy documents: read in full or refused, since a part that is passed over would grant or forbid something else."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from s3vectors_local.iam import conditions, patterns, principals
from s3vectors_local.iam.conditions import Condition, Facts
from s3vectors_local.iam.faults import PolicyFault, load, mapping, texts
from s3vectors_local.iam.principals import Principals

_SERVICE: Final = "s3vectors"
_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_BUCKET_BYTES: Final = 20 * 1024  # guide: policies of general purpose buckets; for vector buckets none is published
_DOCUMENT: Final = ("Version", "Id", "Statement")
_STATEMENT: Final = (
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"),
    "Condition",
)
_ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+", re.ASCII)
_RESOURCE: Final = re.compile(r"\*|arn:[^:\s]+:[^:*?\s]+(?::\S*)?")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `principals` is None in the policy of an identity."""

    allows: bool
    actions: re.Pattern[str]
    not_actions: bool
    resources: re.Pattern[str]
    not_resources: bool
    conditions: tuple[Condition, ...]
    principals: Principals | None = None
    not_principals: bool = False

    def covers(self, action: str, resource: str, facts: Facts) -> bool:
        """Tell whether the statement speaks of this, whoever asks."""
        return (
            (self.actions.fullmatch(action) is None) == self.not_actions
            and (self.resources.fullmatch(resource) is None) == self.not_resources
            and all(condition.holds(facts) for condition in self.conditions)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document that was understood."""

    statements: tuple[Statement, ...]


def identity_policies(documents: Any) -> tuple[Policy, ...]:
    """Return the policies of an identity, given as a document, JSON text, or a list of these. Raises PolicyFault."""
    if not isinstance(documents, list):
        return (_policy(documents, of_bucket=False),)
    return tuple(_policy(each, of_bucket=False, place=f"[{number}]") for number, each in enumerate(documents))


@lru_cache(maxsize=256)
def bucket_policy(text: str, *, known: frozenset[str] = frozenset()) -> Policy:
    """Return the policy of a bucket, whose actions are those of this service. Raises PolicyFault.

    Where actions are known, a pattern that matches none of them is refused.
    """
    if len(text.encode()) > _BUCKET_BYTES:
        raise PolicyFault("", f"is longer than {_BUCKET_BYTES} bytes")
    policy = _policy(text, of_bucket=True)
    for number, each in enumerate(_statements(_document(text, place=""), place="")[1]):
        element = "Action" if "Action" in each else "NotAction"
        for pattern in texts(each[element], place=""):
            _check_known(pattern, known, place=f"Statement[{number}].{element}")
    return policy


def _check_known(pattern: str, known: Iterable[str], *, place: str) -> None:
    if known and not any(patterns.actions([pattern]).fullmatch(action) for action in known):
        raise PolicyFault(place, f"{pattern} is no action of {_SERVICE}")


def _document(value: Any, *, place: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return load(value)
    except PolicyFault as error:
        raise PolicyFault(error.place or place, error.reason) from None


def _policy(value: Any, *, of_bucket: bool, place: str = "") -> Policy:
    inner, statements = _statements(_document(value, place=place), place=place)
    parsed = (
        _statement(each, of_bucket=of_bucket, place=f"{inner}Statement[{number}]")
        for number, each in enumerate(statements)
    )
    return Policy(tuple(parsed))


def _statements(document: Any, *, place: str) -> tuple[str, list[Any]]:
    content = mapping(document, place=place, known=_DOCUMENT)
    inner = f"{place}." if place else ""
    if content.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise PolicyFault(f"{inner}Version", f"must be one of {', '.join(_VERSIONS)}")
    if not isinstance(content.get("Id", ""), str):
        raise PolicyFault(f"{inner}Id", "must be a string")
    statements = content.get("Statement")
    if isinstance(statements, dict):
        return inner, [statements]
    if not isinstance(statements, list):
        raise PolicyFault(f"{inner}Statement", "must be an object or a list of objects")
    return inner, statements


def _statement(value: Any, *, of_bucket: bool, place: str) -> Statement:
    content = mapping(value, place=place, known=_STATEMENT)
    if content.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyFault(f"{place}.Effect", "must be Allow or Deny")
    if not isinstance(content.get("Sid", ""), str):
        raise PolicyFault(f"{place}.Sid", "must be a string")
    actions = _one_of(content, "Action", "NotAction", place=place)
    resources = _one_of(content, "Resource", "NotResource", place=place)
    asked, asked_of = _actions(content[actions], place=f"{place}.{actions}"), content[resources]
    whom = _principals(content, of_bucket=of_bucket, place=place)
    return Statement(
        allows=content["Effect"] == "Allow",
        actions=patterns.actions(asked),
        not_actions=actions == "NotAction",
        resources=patterns.resources(_resources(asked_of, place=f"{place}.{resources}")),
        not_resources=resources == "NotResource",
        conditions=_conditions(content, actions, asked, place=f"{place}.Condition"),
        principals=whom,
        not_principals="NotPrincipal" in content,
    )


def _one_of(content: Any, name: str, other: str, *, place: str) -> str:
    if (name in content) == (other in content):
        raise PolicyFault(place, f"must have either {name} or {other}")
    return name if name in content else other


def _actions(value: Any, *, place: str) -> tuple[str, ...]:
    found = texts(value, place=place)
    for each in found:
        if not _ACTION.fullmatch(each):
            raise PolicyFault(place, f"{each} is not * or service:Action")
    return found


def _resources(value: Any, *, place: str) -> tuple[str, ...]:
    found = texts(value, place=place)
    for each in found:
        if not _RESOURCE.fullmatch(each):
            raise PolicyFault(place, f"{each} is not * or an ARN")
    return found


def _conditions(content: Any, element: str, actions: tuple[str, ...], *, place: str) -> tuple[Condition, ...]:
    """Those of a statement about other services are theirs: it decides nothing here."""
    if "Condition" not in content:
        return ()
    if element == "Action" and not any(each == "*" or _vendor(each) == _SERVICE for each in actions):
        mapping(content["Condition"], place=place)
        return ()
    return conditions.parse(content["Condition"], place=place)


def _vendor(action: str) -> str:
    return action.partition(":")[0].lower()


def _principals(content: Any, *, of_bucket: bool, place: str) -> Principals | None:
    if not of_bucket:
        for element in ("Principal", "NotPrincipal"):
            if element in content:
                raise PolicyFault(f"{place}.{element}", "has no place in the policy of an identity")
        return None
    element = _one_of(content, "Principal", "NotPrincipal", place=place)
    if element == "NotPrincipal" and content["Effect"] == "Allow":
        raise PolicyFault(f"{place}.NotPrincipal", "goes with Deny only")
    return principals.parse(content[element], place=f"{place}.{element}")
