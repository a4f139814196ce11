"""The decision of IAM within one account, over the policies of an identity and of a bucket."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from s3vectors_local.iam.conditions import Facts
from s3vectors_local.iam.policy import Policy, Statement, identity_policies
from s3vectors_local.iam.principals import Identity, Match, identify


class Decision(Enum):
    """What comes of a request, and why not."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "no identity-based policy allows it"
    DENIED_BY_IDENTITY = "an explicit deny in an identity-based policy"
    DENIED_BY_BUCKET = "an explicit deny in a resource-based policy"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Without policies (None) it may do everything that no bucket policy denies."""

    identity: Identity
    policies: tuple[Policy, ...] | None = field(default=None, repr=False)

    @property
    def arn(self) -> str:
        """The principal's ARN, as messages and logs show it."""
        return self.identity.arn


@dataclass(frozen=True, slots=True)
class Request:
    """One action on one resource; `facts` gives condition keys."""

    action: str
    resource: str
    facts: Facts


def caller(arn: str, *, policy: Any = None) -> Caller:
    """Return a caller by its ARN and its policies: a document, its JSON text, or a list of these. Raises PolicyFault.

    Without a policy it may do everything.
    """
    return Caller(identify(arn), None if policy is None else identity_policies(policy))


def decide(who: Caller, request: Request, *, bucket: Policy | None = None) -> Decision:
    """Decide: a Deny anywhere wins, then one Allow anywhere is enough.

    An Allow of the bucket to a whole account leaves the choice to the policies of the identity. To somebody without an
    Allow, a Deny of the bucket shows as no Allow: it would tell that the bucket is there.
    """
    by_identity = [] if who.policies is None else list(_effects(who.policies, request))
    if False in by_identity:
        return Decision.DENIED_BY_IDENTITY
    allowed = who.policies is None or bool(by_identity)
    by_bucket = [] if bucket is None else list(_bucket_effects(bucket, who.identity, request))
    if False in by_bucket:
        return Decision.DENIED_BY_BUCKET if allowed else Decision.NOT_ALLOWED
    return Decision.ALLOWED if allowed or by_bucket else Decision.NOT_ALLOWED


def _effects(policies: Iterable[Policy], request: Request) -> Iterator[bool]:
    for policy in policies:
        for statement in policy.statements:
            if statement.covers(request.action, request.resource, request.facts):
                yield statement.allows


def _bucket_effects(policy: Policy, identity: Identity, request: Request) -> Iterator[bool]:
    for statement in policy.statements:
        if _concerns(statement, identity) and statement.covers(request.action, request.resource, request.facts):
            yield statement.allows


def _concerns(statement: Statement, identity: Identity) -> bool:
    if statement.principals is None:
        return False
    if statement.not_principals:
        return not statement.principals.spares(identity)
    return statement.principals.match(identity) > (Match.ACCOUNT if statement.allows else Match.NONE)
