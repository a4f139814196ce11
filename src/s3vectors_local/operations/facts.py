"""What the conditions of policies ask about a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from s3vectors_local import iam, names
from s3vectors_local.engine import Engine
from s3vectors_local.errors import NotFoundException

Body = Mapping[str, Any]
Values = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants: an operation on a resource, and the members of the request that decide."""

    operation: str
    body: Body = field(repr=False)
    """All members, those of the path and of the query string too."""
    secure: bool = True
    """Whether nobody on the way could read the request."""
    source: str = ""
    """The address that it came from, empty in process."""


class Facts:
    """The condition keys of a request. Tags are read when a condition asks for them."""

    def __init__(self, engine: Engine, who: iam.Caller, asked: Asked, resource: str) -> None:
        """Know of a request for a resource, by its ARN."""
        self._engine = engine
        self._who = who
        self._asked = asked
        self._resource = resource

    def __call__(self, key: str) -> Values:
        """Return the values of a key, None where the request has none."""
        name, slash, tag = key.partition("/")
        if slash:
            return _tag(self._tags(name), tag)
        return None if name in iam.ABSENT else self._plain()[name]

    def _encryption(self, member: str) -> Values:
        encryption = self._asked.body.get("encryptionConfiguration")
        value = encryption.get(member) if isinstance(encryption, dict) else None
        return (value,) if isinstance(value, str) else None

    def _tags(self, name: str) -> Mapping[str, Any]:
        if name == "aws:requesttag":
            return self._request_tags()
        bucket = own_bucket(self._engine, self._resource)
        if bucket is None or name == "aws:principaltag":
            return {}
        of_bucket = name == "s3vectors:vectorbuckettag"
        try:
            return self._engine.get_tags(self._engine.owner.bucket_arn(bucket) if of_bucket else self._resource)
        except NotFoundException:
            return {}

    def _request_tags(self) -> Mapping[str, Any]:
        tags = self._asked.body.get("tags")
        return tags if isinstance(tags, dict) else {}

    def _tag_keys(self) -> Values:
        return list(self._request_tags()) or self._asked.body.get("tagKeys")

    def _plain(self) -> Mapping[str, Values]:
        source = self._asked.source
        return {
            "aws:principalaccount": (self._who.identity.account,),
            "aws:principalarn": (self._who.identity.principal,),
            "aws:principalisawsservice": ("false",),
            "aws:requestedregion": (self._engine.owner.region,),
            "aws:resourceaccount": (self._engine.owner.account,),
            "aws:securetransport": ("true" if self._asked.secure else "false",),
            "aws:sourceip": (source,) if source else None,
            "aws:tagkeys": self._tag_keys(),
            "aws:viaawsservice": ("false",),
            "s3vectors:kmskeyarn": self._encryption("kmsKeyArn"),
            "s3vectors:ssetype": self._encryption("sseType"),
        }


def own_bucket(engine: Engine, resource: str) -> str | None:
    """Return the name of the bucket in an ARN of this engine, None for any other."""
    arn = names.parse_arn(resource)
    return arn.bucket if arn is not None and engine.owner.owns(arn) else None


def _tag(tags: Mapping[str, Any], key: str) -> Values:
    # The tag of this very key; else one that differs in the case of letters only, as for every condition key.
    value = tags.get(key)
    if value is None:
        value = next((each for name, each in tags.items() if name.casefold() == key.casefold()), None)
    return (value,) if isinstance(value, str) else None
