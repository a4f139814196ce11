"""botocore's service model, walked: every operation, input member, error and bound is here, or listed as not yet."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel, Shape, StructureShape

from s3vectors_local import errors, limits
from s3vectors_local.engine import Engine
from s3vectors_local.model import Language
from s3vectors_local.operations import OPERATIONS, wire
from s3vectors_local.operations.shapes import Members

COMPATIBILITY = Path(__file__).parents[3] / "docs" / "engine" / "compatibility.md"
ARN = "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo"

NOT_YET_OPERATIONS: dict[str, str] = {}
NOT_YET_MEMBERS: dict[str, str] = {}
NOT_YET_ERRORS = {
    "KmsDisabledException": "keys are declared, never used",
    "KmsInvalidKeyUsageException": "keys are declared, never used",
    "KmsInvalidStateException": "keys are declared, never used",
    "KmsNotFoundException": "keys are declared, never used",
}

# One complete request for each operation, so that every member is read.
BUCKET = {"vectorBucketName": "demo"}
INDEX = BUCKET | {"indexName": "flat"}
TEXTS = {"textSearchConfigurations": [{"metadataKey": "text", "language": "en", "status": "ACTIVE"}]}
ENCRYPTION = {"sseType": "aws:kms", "kmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"}
REQUESTS: dict[str, dict[str, Any]] = {
    "CreateVectorBucket": {"vectorBucketName": "new", "encryptionConfiguration": ENCRYPTION, "tags": {"a": "b"}},
    "CreateIndex": BUCKET
    | {
        "indexName": "new",
        "dataType": "float32",
        "dimension": 2,
        "distanceMetric": "cosine",
        "metadataConfiguration": {"nonFilterableMetadataKeys": ["text"]} | TEXTS,
        "encryptionConfiguration": ENCRYPTION,
        "tags": {"a": "b"},
    },
    "GetVectorBucket": BUCKET,
    "DeleteVectorBucket": BUCKET,
    "ListVectorBuckets": {},
    "PutVectorBucketPolicy": BUCKET | {"policy": '{"Statement": []}'},
    "GetVectorBucketPolicy": BUCKET,
    "DeleteVectorBucketPolicy": BUCKET,
    "PutVectorBucketDefaultIndexMode": BUCKET | {"defaultIndexMode": "ENHANCED"},
    "GetIndex": INDEX,
    "DeleteIndex": INDEX,
    "ListIndexes": BUCKET,
    "UpdateIndexMode": INDEX | {"indexMode": "ENHANCED"},
    "UpdateMetadataConfiguration": INDEX
    | {"add": TEXTS, "delete": {"textSearchConfigurations": [{"metadataKey": "text"}]}},
    "PutVectors": INDEX | {"vectors": [{"key": "k", "data": {"float32": [1, 2]}, "metadata": {"n": 1}}]},
    "GetVectors": INDEX | {"keys": ["k"]},
    "DeleteVectors": INDEX | {"keys": ["k"]},
    "ListVectors": INDEX,
    "QueryVectors": INDEX
    | {"topK": 1, "queryVector": {"float32": [1, 2]}, "queryTexts": [{"text": "x", "metadataKey": "text"}]},
}


class Spy(dict[str, Any]):
    """A structure that notes which of its members are read."""

    def __init__(self, content: dict[str, Any], path: str, read: set[str]) -> None:
        """Note under a path."""
        super().__init__({name: _spied(value, f"{path}/{name}", read) for name, value in content.items()})
        self.path, self.read = path, read

    def get(self, name: str, default: Any = None) -> Any:
        """Note, and give."""
        self.read.add(f"{self.path}/{name}")
        return super().get(name, default)


def _spied(value: Any, path: str, read: set[str]) -> Any:
    if isinstance(value, dict):
        return Spy(value, path, read)
    return [_spied(each, path, read) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    """Give the service model of the installed botocore."""
    return botocore.session.get_session().get_service_model("s3vectors")


def _members(shape: Shape | None, path: str, *, depth: int = 0) -> Iterator[str]:
    if shape is None:
        return
    if shape.type_name == "list":
        yield from _members(shape.member, path, depth=depth)
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield f"{path}/{name}"
            if depth < 3:
                yield from _members(member, f"{path}/{name}", depth=depth + 1)


def _is_under(member: str, prefix: str) -> bool:
    return member == prefix or member.startswith(f"{prefix}/")


def test_operations(model: ServiceModel) -> None:
    """Every operation of the model is answered or listed, none is both, and no other is answered."""
    assert OPERATIONS | set(NOT_YET_OPERATIONS) == set(model.operation_names)
    assert not OPERATIONS & set(NOT_YET_OPERATIONS)


@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_input_members(model: ServiceModel, engine: Engine, operation: str) -> None:
    """Every input member of the model is read when the operation runs, or listed."""
    read: set[str] = set()
    with suppress(errors.ConflictException, errors.NotFoundException, errors.ValidationException):
        # by then everything was read
        wire._POSTED[operation](engine, Members(Spy(REQUESTS[operation], operation, read)))
    wanted = {
        member
        for member in _members(model.operation_model(operation).input_shape, operation)
        if not any(_is_under(member, listed) for listed in NOT_YET_MEMBERS)
    }
    assert wanted - read == set()


def test_requests_cover_the_table() -> None:
    """The requests above are those of the wire table."""
    assert set(REQUESTS) == set(wire._POSTED)


def test_tag_operations(model: ServiceModel) -> None:
    """The tag operations have the members that their tests send, and no more."""
    for operation, members in (
        ("ListTagsForResource", {"resourceArn"}),
        ("TagResource", {"resourceArn", "tags"}),
        ("UntagResource", {"resourceArn", "tagKeys"}),
    ):
        shape = model.operation_model(operation).input_shape
        assert isinstance(shape, StructureShape)
        assert set(shape.members) == members


def test_verbs_and_paths(model: ServiceModel) -> None:
    """Every operation is where the model has it."""
    for name in model.operation_names:
        http = model.operation_model(name).http
        expected = {"TagResource": "POST", "UntagResource": "DELETE", "ListTagsForResource": "GET"}
        path = "/tags/{resourceArn}" if name in expected else f"/{name}"
        assert (http["method"], http["requestUri"]) == (expected.get(name, "POST"), path)


def test_errors(model: ServiceModel) -> None:
    """Every declared error has a class of its name and status, or is listed."""
    declared = {
        error.name: error for name in model.operation_names for error in model.operation_model(name).error_shapes
    }
    for name, shape in declared.items():
        if name in NOT_YET_ERRORS:
            assert not hasattr(errors, name)
            continue
        ours = getattr(errors, name)
        assert ours.code == name
        assert ours.status == shape.metadata.get("error", {}).get("httpStatusCode", 400)
    assert set(NOT_YET_ERRORS) <= set(declared)


@pytest.mark.parametrize(
    ("shape", "bounds"),
    [
        ("VectorBucketName", limits.NAME_LENGTH),
        ("IndexName", limits.NAME_LENGTH),
        ("ListIndexesPrefix", limits.PREFIX_LENGTH),
        ("ListVectorBucketsPrefix", limits.PREFIX_LENGTH),
        ("KmsKeyArn", limits.KMS_KEY_ARN_LENGTH),
        ("ResourceARN", limits.RESOURCE_ARN_LENGTH),
        ("Dimension", limits.DIMENSION),
        ("NonFilterableMetadataKeys", limits.NON_FILTERABLE_KEYS),
        ("MetadataKey", limits.METADATA_KEY_LENGTH),
        ("VectorKey", limits.KEY_LENGTH),
        ("PutVectorsInputList", limits.PUT_VECTORS),
        ("DeleteVectorsInputList", limits.DELETE_KEYS),
        ("GetVectorsInputList", limits.GET_KEYS),
        ("QueryTextList", limits.QUERY_TEXTS),
        ("QueryTextString", limits.QUERY_TEXT_LENGTH),
        ("MetadataConfigurationTextSearchConfigurationsList", limits.TEXT_KEYS),
        ("MetadataConfigurationAddTextSearchConfigurationsList", limits.TEXT_KEYS),
        ("TextSearchConfigurationKeys", limits.TEXT_KEYS_DELETED),
        ("ListIndexesMaxResults", limits.LIST_RESULTS),
        ("ListVectorBucketsMaxResults", limits.LIST_RESULTS),
        ("ListVectorsMaxResults", limits.LIST_VECTORS),
        ("ListVectorsSegmentCount", limits.SEGMENT_COUNT),
        ("ListVectorsSegmentIndex", limits.SEGMENT_INDEX),
        ("ListIndexesNextToken", limits.LIST_TOKEN_LENGTH),
        ("ListVectorBucketsNextToken", limits.LIST_TOKEN_LENGTH),
        ("ListVectorsNextToken", limits.LIST_VECTORS_TOKEN_LENGTH),
        ("QueryVectorsNextToken", limits.QUERY_TOKEN_LENGTH),
        ("TagKey", limits.TAG_KEY_LENGTH),
        ("TagValue", limits.TAG_VALUE_LENGTH),
    ],
)
def test_bounds(model: ServiceModel, shape: str, bounds: tuple[int, int]) -> None:
    """A limit that names the model as its source is the model's."""
    metadata = model.shape_for(shape).metadata
    assert (metadata["min"], metadata["max"]) == bounds


def test_languages(model: ServiceModel) -> None:
    """The languages are the model's."""
    assert list(model.shape_for("LanguageCode").enum) == list(Language)


def test_compatibility_page(model: ServiceModel) -> None:
    """The page has one row an operation, and names every member and error that is not there yet."""
    page = COMPATIBILITY.read_text()
    for name in model.operation_names:
        assert page.count(f"\n| `{name}` |") == 1, name
    for listed in (*NOT_YET_MEMBERS, *NOT_YET_ERRORS):
        assert f"`{listed.rpartition('/')[2]}`" in page, listed
    for name in NOT_YET_OPERATIONS:
        assert f"\n| `{name}` | not yet |" in page
