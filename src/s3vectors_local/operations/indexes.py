"""Operations on indexes."""

from typing import Any

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.errors import ValidationException
from s3vectors_local.model import Index, Metric, Mode, NewIndex
from s3vectors_local.operations import references
from s3vectors_local.operations.shapes import Members

Answer = dict[str, Any]


def create_index(engine: Engine, members: Members) -> Answer:
    """CreateIndex."""
    name = members.needed_text("indexName", length=limits.NAME_LENGTH)
    members.text("dataType", choices=("float32",), required=True)
    dimension = members.needed_number("dimension", bounds=limits.DIMENSION)
    metric = members.needed_text("distanceMetric", choices=tuple(Metric))
    non_filterable = _non_filterable(members)
    encryption = references.encryption(members)
    tags = references.tags(members)
    bucket = references.bucket(engine, members)
    engine.create_index(bucket, NewIndex(name, dimension, Metric(metric), non_filterable, encryption), tags=tags)
    return {"indexArn": engine.owner.index_arn(bucket, name)}


def get_index(engine: Engine, members: Members) -> Answer:
    """GetIndex."""
    index = engine.get_index(*references.index(engine, members))
    more: Answer = {
        "dataType": "float32",
        "dimension": index.dimension,
        "distanceMetric": index.metric,
        "encryptionConfiguration": references.encryption_reply(index.encryption),
        "indexMode": index.mode,
    }
    if index.non_filterable:
        more["metadataConfiguration"] = {"nonFilterableMetadataKeys": index.non_filterable}
    return {"index": {**_summary(engine, index), **more}}


def list_indexes(engine: Engine, members: Members) -> Answer:
    """ListIndexes."""
    limit = members.number("maxResults", bounds=limits.LIST_RESULTS) or limits.LIST_DEFAULT
    token = members.text("nextToken", length=limits.LIST_TOKEN_LENGTH)
    prefix = members.text("prefix", length=limits.PREFIX_LENGTH) or ""
    page = engine.list_indexes(references.bucket(engine, members), prefix=prefix, limit=limit, token=token)
    return {"indexes": [_summary(engine, index) for index in page.items], "nextToken": page.next_token}


def delete_index(engine: Engine, members: Members) -> Answer:
    """DeleteIndex."""
    engine.delete_index(*references.index(engine, members))
    return {}


def update_index_mode(engine: Engine, members: Members) -> Answer:
    """UpdateIndexMode."""
    mode = members.needed_text("indexMode", choices=tuple(Mode))
    index = references.index(engine, members)
    engine.set_index_mode(*index, Mode(mode))
    return {}


def _non_filterable(members: Members) -> tuple[str, ...]:
    configuration = members.structure("metadataConfiguration")
    if configuration is None:
        return ()
    if configuration.document("textSearchConfigurations"):
        raise ValidationException("textSearchConfigurations is not supported yet by this engine: it has no text search")
    name, count, length = "nonFilterableMetadataKeys", limits.NON_FILTERABLE_KEYS, limits.METADATA_KEY_LENGTH
    return tuple(dict.fromkeys(configuration.texts(name, count=count, length=length)))


def _summary(engine: Engine, index: Index) -> Answer:
    return {
        "vectorBucketName": index.bucket,
        "indexName": index.name,
        "indexArn": engine.owner.index_arn(index.bucket, index.name),
        "creationTime": index.created,
    }
