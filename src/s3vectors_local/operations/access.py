"""Which operation needs which actions on which resource, and whether the policies allow them.

Decided before the operation runs, from the request, the policies and the tags that they ask for: a refusal tells
nothing of what exists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from s3vectors_local import iam, limits, names
from s3vectors_local.engine import Engine
from s3vectors_local.errors import AccessDeniedException, NotFoundException, ValidationException
from s3vectors_local.operations import references
from s3vectors_local.operations.shapes import Members

Body = Mapping[str, Any]

_SERVICE: Final = "s3vectors"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants: an operation on a resource, and the members of the request that decide."""

    operation: str
    body: Body = field(repr=False)
    """All members, those of the path and of the query string too."""
    secure: bool = True
    """Whether nobody on the way could read the request."""


def authorise(engine: Engine, who: iam.Caller, asked: Asked) -> None:
    """Return when every action that the request needs is allowed. Raises AccessDeniedException.

    Raises ValidationException where the request names no resource.
    """
    resource = _RESOURCES[asked.operation](engine, asked)
    facts = _Facts(engine, who, asked, resource)
    policy = _bucket_policy(engine, resource)
    for action in needed(asked.operation, asked.body):
        request = iam.Request(f"{_SERVICE}:{action}", resource, facts)
        decision = _decide(who, request, policy)
        if decision is not iam.Decision.ALLOWED:
            raise AccessDeniedException(_sentence(who, request, decision))


def needed(operation: str, body: Body) -> list[str]:
    """Return the names of the actions: the operation's own, and those that some of its members add."""
    also, members = _ALSO.get(operation, ("", ()))
    return [operation, also] if any(_given(name, body.get(name)) for name in members) else [operation]


def _given(name: str, value: Any) -> bool:
    # An empty filter is a filter; a false flag, or an empty map of tags, is nothing.
    return bool(value) if name == "tags" else value is not None and value is not False


def _decide(who: iam.Caller, request: iam.Request, policy: str | None) -> iam.Decision:
    if policy is None:
        return iam.decide(who, request)
    try:
        return iam.decide(who, request, bucket=iam.bucket_policy(policy))
    except iam.PolicyFault:  # kept by a release that did not read policies: nobody knows what it forbids
        plain = iam.decide(who, request)
        return iam.Decision.DENIED_BY_BUCKET if plain is iam.Decision.ALLOWED else plain


def _bucket_policy(engine: Engine, resource: str) -> str | None:
    bucket = _own_bucket(engine, resource)
    if bucket is None:
        return None
    try:
        return engine.get_bucket(bucket).policy
    except NotFoundException:
        return None


def _own_bucket(engine: Engine, resource: str) -> str | None:
    arn = names.parse_arn(resource)
    return arn.bucket if arn is not None and engine.owner.owns(arn) else None


def _sentence(who: iam.Caller, request: iam.Request, decision: iam.Decision) -> str:
    why = f"because no identity-based policy allows the {request.action} action"
    if decision is not iam.Decision.NOT_ALLOWED:
        why = f"with {decision.value}"
    return f"User: {who.arn} is not authorized to perform: {request.action} on resource: {request.resource} {why}"


class _Facts:
    """The condition keys of a request. Tags are read when a condition asks for them."""

    def __init__(self, engine: Engine, who: iam.Caller, asked: Asked, resource: str) -> None:
        self._engine = engine
        self._who = who
        self._asked = asked
        self._resource = resource

    def __call__(self, key: str) -> Sequence[str] | None:
        name, slash, tag = key.partition("/")
        return _tag(self._tags(name), tag) if slash else self._plain(name)

    def _plain(self, name: str) -> Sequence[str] | None:
        if name == "aws:principalarn":
            return (self._who.identity.principal,)
        if name == "aws:principalaccount":
            return (self._who.identity.account,)
        if name == "aws:securetransport":
            return ("true" if self._asked.secure else "false",)
        if name == "aws:tagkeys":
            return list(self._request_tags()) or self._asked.body.get("tagKeys")
        return self._encryption({"s3vectors:ssetype": "sseType", "s3vectors:kmskeyarn": "kmsKeyArn"}[name])

    def _encryption(self, member: str) -> Sequence[str] | None:
        encryption = self._asked.body.get("encryptionConfiguration")
        value = encryption.get(member) if isinstance(encryption, dict) else None
        return (value,) if isinstance(value, str) else None

    def _tags(self, name: str) -> Mapping[str, Any]:
        if name == "aws:requesttag":
            return self._request_tags()
        bucket = _own_bucket(self._engine, self._resource)
        if bucket is None:
            return {}
        of_bucket = name == "s3vectors:vectorbuckettag"
        try:
            return self._engine.get_tags(self._engine.owner.bucket_arn(bucket) if of_bucket else self._resource)
        except NotFoundException:
            return {}

    def _request_tags(self) -> Mapping[str, Any]:
        tags = self._asked.body.get("tags")
        return tags if isinstance(tags, dict) else {}


def _tag(tags: Mapping[str, Any], key: str) -> Sequence[str] | None:
    # The tag of this very key; else one that differs in the case of letters only, as for every condition key.
    value = tags.get(key)
    if value is None:
        value = next((each for name, each in tags.items() if name.casefold() == key.casefold()), None)
    return (value,) if isinstance(value, str) else None


def _everything(_: Engine, __: Asked) -> str:
    return "*"


def _bucket(engine: Engine, asked: Asked) -> str:
    return references.bucket_arn(engine, Members(asked.body))


def _index(engine: Engine, asked: Asked) -> str:
    return references.index_arn(engine, Members(asked.body))


def _new_bucket(engine: Engine, asked: Asked) -> str:
    return engine.owner.bucket_arn(_name(asked.body, "vectorBucketName"))


def _new_index(engine: Engine, asked: Asked) -> str:
    return f"{_bucket(engine, asked)}/index/{_name(asked.body, 'indexName')}"


def _of_the_path(_: Engine, asked: Asked) -> str:
    arn = references.resource(Members(asked.body))
    if names.parse_arn(arn) is None:
        raise ValidationException("Invalid resource ARN")
    return arn


def _name(body: Body, member: str) -> str:
    members = Members(body)
    name = members.needed_text(member, length=limits.NAME_LENGTH)
    members.check()
    return name


_RESOURCES: Final[Mapping[str, Callable[[Engine, Asked], str]]] = {
    "CreateIndex": _new_index,
    "CreateVectorBucket": _new_bucket,
    "DeleteIndex": _index,
    "DeleteVectorBucket": _bucket,
    "DeleteVectorBucketPolicy": _bucket,
    "DeleteVectors": _index,
    "GetIndex": _index,
    "GetVectorBucket": _bucket,
    "GetVectorBucketPolicy": _bucket,
    "GetVectors": _index,
    "ListIndexes": _bucket,
    "ListTagsForResource": _of_the_path,
    "ListVectorBuckets": _everything,
    "ListVectors": _index,
    "PutVectorBucketDefaultIndexMode": _bucket,
    "PutVectorBucketPolicy": _bucket,
    "PutVectors": _index,
    "QueryVectors": _index,
    "TagResource": _of_the_path,
    "UntagResource": _of_the_path,
    "UpdateIndexMode": _index,
    "UpdateMetadataConfiguration": _index,
}

_ALSO: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "CreateIndex": ("TagResource", ("tags",)),
    "CreateVectorBucket": ("TagResource", ("tags",)),
    "ListVectors": ("GetVectors", ("returnData", "returnMetadata")),
    "QueryVectors": ("GetVectors", ("filter", "returnMetadata", "queryTexts")),
}

ACTIONS: Final = frozenset(f"{_SERVICE}:{name}" for name in _RESOURCES)
"""Every action there is."""
