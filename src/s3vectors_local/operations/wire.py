"""Requests by method, path and body; answers by status, headers and body, in the rest-json form of AWS."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

import orjson

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.errors import (
    InternalServerException,
    SerializationException,
    ServiceError,
    UnknownOperationException,
    ValidationException,
)
from s3vectors_local.operations import buckets, indexes, tags, vectors
from s3vectors_local.operations.shapes import Members

_log = logging.getLogger(__name__)
_TAGS_PATH: Final = "/tags/"

Operation = Callable[[Engine, Members], dict[str, Any]]

_POSTED: Final[Mapping[str, Operation]] = {
    "CreateIndex": indexes.create_index,
    "CreateVectorBucket": buckets.create_vector_bucket,
    "DeleteIndex": indexes.delete_index,
    "DeleteVectorBucket": buckets.delete_vector_bucket,
    "DeleteVectorBucketPolicy": buckets.delete_vector_bucket_policy,
    "DeleteVectors": vectors.delete_vectors,
    "GetIndex": indexes.get_index,
    "GetVectorBucket": buckets.get_vector_bucket,
    "GetVectorBucketPolicy": buckets.get_vector_bucket_policy,
    "GetVectors": vectors.get_vectors,
    "ListIndexes": indexes.list_indexes,
    "ListVectorBuckets": buckets.list_vector_buckets,
    "ListVectors": vectors.list_vectors,
    "PutVectorBucketDefaultIndexMode": buckets.put_vector_bucket_default_index_mode,
    "PutVectorBucketPolicy": buckets.put_vector_bucket_policy,
    "PutVectors": vectors.put_vectors,
    "QueryVectors": vectors.query_vectors,
    "UpdateIndexMode": indexes.update_index_mode,
}

OPERATIONS: Final = frozenset(_POSTED) | {"ListTagsForResource", "TagResource", "UntagResource"}
"""The names of the operations that are answered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. The body is JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    close: bool = False
    """True when the connection should not be used again."""


def answer(engine: Engine, *, method: str, path: str, query: str = "", body: bytes = b"") -> Reply:
    """Return the answer to a request; never raises. `path` and `query` are as sent, percent-encoded."""
    try:
        return _reply(200, _dispatch(engine, method=method, path=path, query=query, body=body))
    except ServiceError as error:
        return refusal(error)
    except Exception:  # noqa: BLE001 - the boundary: a client gets an answer whatever happened
        _log.exception("%s %s failed", method, path)
        return refusal(InternalServerException())


def oversized() -> Reply:
    """Return the answer to a body over the limit."""
    return replace(refusal(_oversized()), close=True)


def refusal(error: ServiceError) -> Reply:
    """Return the answer that carries an error."""
    content: dict[str, Any] = {"message": str(error)}
    if isinstance(error, ValidationException) and error.fields:
        content["fieldList"] = [{"path": each.path, "message": each.message} for each in error.fields]
    return _reply(error.status, content, {"x-amzn-errortype": error.code})


def _oversized() -> ValidationException:
    return ValidationException("Request body exceeds max allowed size")


def _dispatch(engine: Engine, *, method: str, path: str, query: str, body: bytes) -> dict[str, Any]:
    if len(body) > limits.BODY_BYTES:
        raise _oversized()
    if path.startswith(_TAGS_PATH):
        return _tags(engine, method=method, arn=unquote(path.removeprefix(_TAGS_PATH)), query=query, body=body)
    operation = _POSTED.get(path.removeprefix("/")) if method == "POST" else None
    if operation is None:
        raise UnknownOperationException(f"There is no operation {method} {path}")
    return operation(engine, _members(body))


def _tags(engine: Engine, *, method: str, arn: str, query: str, body: bytes) -> dict[str, Any]:
    if len(arn) > limits.RESOURCE_ARN_LENGTH[1]:
        raise ValidationException("Invalid resource ARN")
    if method == "GET":
        return tags.list_tags_for_resource(engine, arn)
    if method == "POST":
        return tags.tag_resource(engine, arn, _members(body))
    if method == "DELETE":
        keys = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "tagKeys"]
        return tags.untag_resource(engine, arn, keys)
    raise UnknownOperationException(f"There is no operation {method} /tags")


def _members(body: bytes) -> Members:
    try:
        content = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise SerializationException(f"The body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise SerializationException("The body is not a JSON object")
    return Members(content)


def _reply(status: int, content: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> Reply:
    present = {name: value for name, value in content.items() if value is not None}
    body = orjson.dumps(present, option=orjson.OPT_SERIALIZE_NUMPY)
    common = {"content-type": "application/json", "x-amzn-requestid": str(uuid4())}
    return Reply(status, body, {**common, **headers})
