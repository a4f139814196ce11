"""Which operation needs which actions on which resource, and whether the policies allow them.

Decided before the operation runs, from the request, the policies and the tags that they ask for: a refusal tells
nothing of what exists.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from s3vectors_local import iam, limits, names
from s3vectors_local.engine import Engine
from s3vectors_local.errors import AccessDeniedException, NotFoundException, ValidationException
from s3vectors_local.operations import references
from s3vectors_local.operations.facts import Asked, Body, Facts, own_bucket
from s3vectors_local.operations.shapes import Members

_SERVICE: Final = "s3vectors"


def authorise(engine: Engine, who: iam.Caller, asked: Asked) -> None:
    """Return when every action that the request needs is allowed. Raises AccessDeniedException.

    Raises ValidationException where the request names no resource.
    """
    resource = _RESOURCES[asked.operation](engine, asked)
    facts = Facts(engine, who, asked, resource)
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
    bucket = own_bucket(engine, resource)
    if bucket is None:
        return None
    try:
        return engine.get_bucket(bucket).policy
    except NotFoundException:
        return None


def _sentence(who: iam.Caller, request: iam.Request, decision: iam.Decision) -> str:
    why = f"because no identity-based policy allows the {request.action} action"
    if decision is not iam.Decision.NOT_ALLOWED:
        why = f"with {decision.value}"
    return f"User: {who.arn} is not authorized to perform: {request.action} on resource: {request.resource} {why}"


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
