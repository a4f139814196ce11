"""Who a bucket policy speaks of: everyone, accounts, and ARNs of users, roles and sessions."""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from s3vectors_local.iam.faults import PolicyFault, mapping, texts

_ARN: Final = re.compile(
    r"arn:aws[-a-z]*:(?:iam|sts)::(?P<account>[0-9]{12}):(?P<rest>root|(?:user|role|assumed-role|federated-user)/\S+)",
    re.ASCII,
)
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)


_OTHERS: Final = ("Service", "Federated", "CanonicalUser")
"""Kinds of principals that nobody here is."""


class Match(IntEnum):
    """How a principal is named: not, by its account, or itself."""

    NONE = 0
    ACCOUNT = 1
    OWN = 2


@dataclass(frozen=True, slots=True)
class Identity:
    """An ARN of a user, role or session, its account, and what else it answers to: a session to its role.

    `principal` is what conditions know it by (aws:PrincipalArn): a session by its role, whose path it does not tell.
    """

    arn: str
    account: str
    principal: str
    also: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Principals:
    """A Principal or NotPrincipal element."""

    anyone: bool = False
    accounts: frozenset[str] = frozenset()
    arns: frozenset[str] = frozenset()

    def match(self, identity: Identity) -> Match:
        """Tell how the element names somebody."""
        if self.anyone or self.arns & identity.also:
            return Match.OWN
        return Match.ACCOUNT if identity.account in self.accounts else Match.NONE

    def spares(self, identity: Identity) -> bool:
        """Tell whether a Deny with this NotPrincipal passes somebody by: both it and its account must be listed."""
        return self.anyone or (bool(self.arns & identity.also) and identity.account in self.accounts)


def identify(arn: str) -> Identity:
    """Return the identity of an ARN. Raises PolicyFault for one that is of no user, role, session or account."""
    match = _ARN.fullmatch(arn)
    if match is None or "*" in arn or "?" in arn:
        raise PolicyFault("", f"{arn} is not the ARN of a user, a role or a session")
    principal = arn
    kind, _, rest = match["rest"].partition("/")
    if kind == "assumed-role":
        prefix = arn.partition(":assumed-role/")[0].replace(":sts:", ":iam:")
        principal = f"{prefix}:role/{rest.partition('/')[0]}"
    return Identity(arn, match["account"], principal, frozenset({arn, _without_path(principal)}))


def parse(value: Any, *, place: str) -> Principals:
    """Return the principals of an element. Raises PolicyFault."""
    if value == "*":
        return Principals(anyone=True)
    listed = mapping(value, place=place, known=("AWS", *_OTHERS))
    for kind in _OTHERS:
        if kind in listed:
            texts(listed[kind], place=f"{place}.{kind}")
    if "AWS" not in listed and len(listed):
        return Principals()
    found = texts(listed.get("AWS"), place=f"{place}.AWS")
    if "*" in found:
        return Principals(anyone=True)
    accounts = {account for each in found if (account := _account(each))}
    arns = {_own(each, place=place) for each in found if not _account(each)}
    return Principals(accounts=frozenset(accounts), arns=frozenset(arns))


def _account(text: str) -> str:
    if _ACCOUNT.fullmatch(text):
        return text
    match = _ARN.fullmatch(text)
    return match["account"] if match and match["rest"] == "root" else ""


def _own(text: str, *, place: str) -> str:
    try:
        return _without_path(identify(text).arn)
    except PolicyFault as error:
        raise PolicyFault(place, error.reason) from error


def _without_path(arn: str) -> str:
    # A role's name is unique in its account, and its sessions do not tell its path.
    head, role, tail = arn.partition(":role/")
    return head + role + tail.rpartition("/")[2] if role else arn
