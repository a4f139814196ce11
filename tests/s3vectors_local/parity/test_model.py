"""botocore's service model, walked: every operation, input member, error and bound is here, or listed as not yet."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.errorfactory import ClientExceptionsFactory
from botocore.model import ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser

from s3vectors_local import errors, limits
from s3vectors_local.engine import Engine
from s3vectors_local.model import Language
from s3vectors_local.operations import OPERATIONS, refusal, wire
from s3vectors_local.operations.shapes import Members

Requests = dict[str, dict[str, Any]]

COMPATIBILITY = Path(__file__).parents[3] / "docs" / "engine" / "compatibility.md"

NOT_YET_OPERATIONS: dict[str, str] = {}
NOT_YET_MEMBERS: dict[str, str] = {}
NOT_YET_ERRORS = {
    "KmsDisabledException": "keys are declared, never used",
    "KmsInvalidKeyUsageException": "keys are declared, never used",
    "KmsInvalidStateException": "keys are declared, never used",
    "KmsNotFoundException": "keys are declared, never used",
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


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_input_members(model: ServiceModel, engine: Engine, complete: Requests, operation: str) -> None:
    """Every input member of the model is read when the operation runs, or listed."""
    read: set[str] = set()
    with suppress(errors.ConflictException, errors.NotFoundException, errors.ValidationException):
        # by then everything was read
        wire._OPERATIONS[operation](engine, Members(Spy(complete[operation], operation, read)))
    wanted = {
        member
        for member in _members(model.operation_model(operation).input_shape, operation)
        if not any(_is_under(member, listed) for listed in NOT_YET_MEMBERS)
    }
    assert wanted - read == set()


def test_requests_cover_the_table(complete: Requests) -> None:
    """There is a complete request for each operation."""
    assert set(complete) == OPERATIONS


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


ERRORS = sorted(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.ServiceError) and kind.code == name
)


@pytest.mark.parametrize("name", [name for name in ERRORS if name != "ServiceError"])
def test_errors_as_clients_read_them(model: ServiceModel, name: str) -> None:
    """Botocore takes type, sentence, fields and status from the wire, and finds the class, where the model has one."""
    kind = getattr(errors, name)
    fields = {"fields": [errors.Field("/a", "b")]} if kind is errors.ValidationException else {}
    reply = refusal(kind("What is wrong", **fields))
    response = {"status_code": reply.status, "headers": dict(reply.headers), "body": reply.body}
    parsed = create_parser("rest-json").parse(response, None)
    assert parsed["Error"] == {"Code": name, "Message": "What is wrong"}
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == kind.status
    assert parsed["ResponseMetadata"]["RequestId"] == reply.headers["x-amzn-requestid"]
    found = ClientExceptionsFactory().create_client_exceptions(model).from_code(name)
    shape = model.shape_for_error_code(name)
    assert found.__name__ == ("ClientError" if shape is None else name)
    if fields:
        assert create_parser("rest-json").parse(response, shape)["fieldList"] == [{"path": "/a", "message": "b"}]


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
