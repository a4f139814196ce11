"""Operations on tags. The resource's ARN comes in the path, the keys to remove in the query string."""

from typing import Any

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.operations import references
from s3vectors_local.operations.shapes import TAG_PATTERN, Members

Answer = dict[str, Any]


def list_tags_for_resource(engine: Engine, members: Members) -> Answer:
    """ListTagsForResource."""
    return {"tags": engine.get_tags(references.resource(members))}


def tag_resource(engine: Engine, members: Members) -> Answer:
    """TagResource."""
    tags = members.tags("tags", required=True)
    arn = references.resource(members)
    references.check_tags(tags)
    engine.put_tags(arn, tags)
    return {}


def untag_resource(engine: Engine, members: Members) -> Answer:
    """UntagResource."""
    keys = members.texts("tagKeys", length=limits.TAG_KEY_LENGTH, pattern=TAG_PATTERN, required=True)
    engine.remove_tags(references.resource(members), keys)
    return {}
