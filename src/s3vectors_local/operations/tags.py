"""Operations on tags. The resource's ARN comes in the path, the keys to remove in the query string."""

from collections.abc import Sequence
from typing import Any

from s3vectors_local.engine import Engine
from s3vectors_local.errors import ValidationException
from s3vectors_local.operations import references
from s3vectors_local.operations.shapes import Members

Answer = dict[str, Any]


def list_tags_for_resource(engine: Engine, arn: str) -> Answer:
    """ListTagsForResource."""
    return {"tags": engine.get_tags(arn)}


def tag_resource(engine: Engine, arn: str, members: Members) -> Answer:
    """TagResource."""
    tags = references.tags(members, required=True)
    engine.put_tags(arn, tags)
    return {}


def untag_resource(engine: Engine, arn: str, keys: Sequence[str]) -> Answer:
    """UntagResource."""
    if not keys:
        raise ValidationException("Must specify tagKeys")
    engine.remove_tags(arn, keys)
    return {}
