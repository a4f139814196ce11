"""Requests by method, path and body; answers by status, headers and body, in the rest-json form of AWS."""

import json
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
    InvalidFilter,
    SerializationException,
    ServiceError,
    StoreError,
    UnknownOperationException,
    ValidationException,
)
from s3vectors_local.iam import Caller
from s3vectors_local.operations import access, buckets, documents, indexes, tags, vectors
from s3vectors_local.operations.facts import Asked
from s3vectors_local.operations.shapes import Members

_log = logging.getLogger(__name__)
_TAGS_PATH: Final = "/tags/"
REASON: Final = "x-s3vectors-local-reason"
"""The header that tells, as a JSON string, what the service keeps to itself."""
_REASON_LENGTH: Final = 1_000

Operation = Callable[[Engine, Members], dict[str, Any]]

_OPERATIONS: Final[Mapping[str, Operation]] = {
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
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListVectorBuckets": buckets.list_vector_buckets,
    "ListVectors": vectors.list_vectors,
    "PutVectorBucketDefaultIndexMode": buckets.put_vector_bucket_default_index_mode,
    "PutVectorBucketPolicy": buckets.put_vector_bucket_policy,
    "PutVectors": vectors.put_vectors,
    "QueryVectors": vectors.query_vectors,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateIndexMode": indexes.update_index_mode,
    "UpdateMetadataConfiguration": indexes.update_metadata_configuration,
}

_TAGS: Final = {"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}
_POSTED: Final = frozenset(_OPERATIONS).difference(_TAGS.values())

OPERATIONS: Final = frozenset(_OPERATIONS)
"""The names of the operations that are answered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. The body is JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    close: bool = False
    """True when the connection should not be used again."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: path and query are percent-encoded."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    secure: bool = True
    """Whether nobody on the way could read it."""
    source: str = ""
    """The address that it came from, empty in process."""

    @property
    def operation(self) -> str | None:
        """The name of the operation that is asked for, None where there is none."""
        if self.path.startswith(_TAGS_PATH):
            return _TAGS.get(self.method)
        name = unquote(self.path.removeprefix("/"))
        return name if self.method == "POST" and name in _POSTED else None


def answer(engine: Engine, call: Call, *, caller: Caller | None = None) -> Reply:
    """Return the answer to a request; never raises. A caller may do what its policies allow; None may do everything."""
    try:
        return _reply(200, _dispatch(engine, call, caller))
    except ServiceError as error:
        return refusal(error)
    except StoreError as error:
        _log.error("%s failed: %s", call.operation, error)
        return refusal(InternalServerException(f"The store failed: {error}"))
    except Exception:  # noqa: BLE001 - the boundary: a client gets an answer whatever happened
        _log.exception("%s failed", call.operation)
        return refusal(InternalServerException())


def oversized() -> Reply:
    """Return the answer to a body over the limit."""
    return replace(refusal(_oversized()), close=True)


def refusal(error: ServiceError) -> Reply:
    """Return the answer that carries an error. Its type is in a header, where SDKs look, and in the body for eyes."""
    content: dict[str, Any] = {"__type": error.code, "message": str(error)}
    if isinstance(error, ValidationException) and error.fields:
        content["fieldList"] = [{"path": each.path, "message": each.message} for each in error.fields]
    headers = {"x-amzn-errortype": error.code}
    if isinstance(error, InvalidFilter):
        headers[REASON] = json.dumps(error.reason[:_REASON_LENGTH])
    return _reply(error.status, content, headers)


def _oversized() -> ValidationException:
    return ValidationException("Request body exceeds max allowed size")


def _dispatch(engine: Engine, call: Call, caller: Caller | None) -> dict[str, Any]:
    if len(call.body) > limits.BODY_BYTES:
        raise _oversized()
    asked = _asked(call)
    if caller is not None:
        access.authorise(engine, caller, asked)
    return _OPERATIONS[asked.operation](engine, Members(asked.body))


def _asked(call: Call) -> Asked:
    name = call.operation
    if name is None:
        raise UnknownOperationException(f"There is no operation {call.method} {_shown(call.path)}")
    members = _content(call.body) if call.method == "POST" else {}
    if call.path.startswith(_TAGS_PATH):
        members["resourceArn"] = unquote(call.path.removeprefix(_TAGS_PATH))
    if name == "UntagResource":
        pairs = parse_qsl(call.query, keep_blank_values=True)
        members["tagKeys"] = [value for key, value in pairs if key == "tagKeys"] or None
    return Asked(name, members, secure=call.secure, source=call.source)


def _shown(path: str) -> str:
    return "/tags" if path.startswith(_TAGS_PATH) else path


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = documents.read(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise SerializationException(f"The body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise SerializationException("The body is not a JSON object")
    return content


def _reply(status: int, content: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> Reply:
    present = {name: value for name, value in content.items() if value is not None}
    body = orjson.dumps(present, option=orjson.OPT_SERIALIZE_NUMPY)
    # SDKs read either name; the service is known to send the second.
    id_ = str(uuid4())
    common = {"content-type": "application/json", "x-amzn-requestid": id_, "x-amz-request-id": id_}
    return Reply(status, body, {**common, **headers})
