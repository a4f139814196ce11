"""Operations on indexes."""

from typing import Any, Final

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.errors import ValidationException
from s3vectors_local.model import Index, Language, Metric, Mode, NewIndex, NewTextKey, TextKey
from s3vectors_local.operations import references
from s3vectors_local.operations.shapes import Members

Answer = dict[str, Any]
_TEXTS: Final = "textSearchConfigurations"


def create_index(engine: Engine, members: Members) -> Answer:
    """CreateIndex."""
    name = members.needed_text("indexName", length=limits.NAME_LENGTH)
    members.text("dataType", choices=("float32",), required=True)
    dimension = members.needed_number("dimension", bounds=limits.DIMENSION)
    metric = members.needed_text("distanceMetric", choices=tuple(Metric))
    non_filterable, texts = _metadata_configuration(members)
    encryption = references.encryption(members)
    tags = members.tags("tags")
    bucket = references.bucket(engine, members)
    references.check_encryption(encryption)
    references.check_tags(tags)
    new = NewIndex(name, dimension, Metric(metric), non_filterable, encryption, _text_keys(texts))
    engine.create_index(bucket, new, tags=tags)
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
    configuration: Answer = {}
    if index.non_filterable:
        configuration["nonFilterableMetadataKeys"] = index.non_filterable
    if index.texts:
        configuration["textSearchConfigurations"] = [_text_key_reply(text) for text in index.texts]
    if configuration:
        more["metadataConfiguration"] = configuration
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


def update_metadata_configuration(engine: Engine, members: Members) -> Answer:
    """UpdateMetadataConfiguration."""
    add, delete = members.structure("add"), members.structure("delete")
    added = [] if add is None else _text_configurations(add)
    deleted = [] if delete is None else _deleted_keys(delete)
    bucket, name = references.index(engine, members)
    if (add is None) is (delete is None):
        raise ValidationException("Must specify either add or delete but not both")
    if add is not None:
        engine.add_text_keys(bucket, name, _text_keys(added))
    else:
        engine.remove_text_keys(bucket, name, deleted)
    return {"indexArn": engine.owner.index_arn(bucket, name)}


_Asked = tuple[str, str | None]  # a metadata key and its language, as they came


def _metadata_configuration(members: Members) -> tuple[tuple[str, ...], list[_Asked]]:
    configuration = members.structure("metadataConfiguration")
    if configuration is None:
        return (), []
    name, count, length = "nonFilterableMetadataKeys", limits.NON_FILTERABLE_KEYS, limits.METADATA_KEY_LENGTH
    non_filterable = tuple(dict.fromkeys(configuration.texts(name, count=count, length=length)))
    return non_filterable, _text_configurations(configuration)


def _text_configurations(members: Members) -> list[_Asked]:
    return [_text_configuration(each) for each in members.structures(_TEXTS, count=limits.TEXT_KEYS)]


def _text_configuration(members: Members) -> _Asked:
    key = members.needed_text("metadataKey", length=limits.METADATA_KEY_LENGTH)
    members.text("status", choices=("ACTIVE", "BUILDING"))  # only answers carry one
    return key, members.text("language", choices=tuple(Language))


def _text_keys(asked: list[_Asked]) -> tuple[NewTextKey, ...]:
    return tuple(NewTextKey(key, Language(language) if language else None) for key, language in asked)


def _deleted_keys(members: Members) -> list[str]:
    configurations = members.structures(_TEXTS, count=limits.TEXT_KEYS_DELETED, required=True)
    return [each.needed_text("metadataKey", length=limits.METADATA_KEY_LENGTH) for each in configurations]


def _text_key_reply(text: TextKey) -> Answer:
    language = {} if text.language is None else {"language": text.language}
    return {"metadataKey": text.key, **language, "status": "BUILDING" if text.is_building else "ACTIVE"}


def _summary(engine: Engine, index: Index) -> Answer:
    return {
        "vectorBucketName": index.bucket,
        "indexName": index.name,
        "indexArn": engine.owner.index_arn(index.bucket, index.name),
        "creationTime": index.created,
    }
