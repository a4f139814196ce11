"""The answers of every operation against the output shapes of botocore's service model."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import ListShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from s3vectors_local.engine import open_engine
from s3vectors_local.operations import OPERATIONS, Call, answer

KMS = {"sseType": "aws:kms", "kmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"}
BUCKET = {"vectorBucketName": "one"}
INDEX = BUCKET | {"indexName": "first"}
ARN = "arn:aws:s3vectors:us-east-1:000000000000:bucket/one"
TEXTS = [{"metadataKey": "text", "language": "en"}]
CREATE = {"dataType": "float32", "dimension": 2, "distanceMetric": "euclidean"}
QUERY = INDEX | {"queryVector": {"float32": [1, 2]}, "returnDistance": True, "returnMetadata": True}

# One life of an engine. Together the answers of an operation show every member of its output.
STORY: list[tuple[str, dict[str, Any]]] = [
    ("CreateVectorBucket", BUCKET | {"encryptionConfiguration": KMS, "tags": {"a": "b"}}),
    ("CreateVectorBucket", {"vectorBucketName": "two"}),
    ("ListVectorBuckets", {"maxResults": 1}),
    ("GetVectorBucket", BUCKET),
    ("PutVectorBucketDefaultIndexMode", BUCKET | {"defaultIndexMode": "ENHANCED"}),
    ("PutVectorBucketPolicy", BUCKET | {"policy": '{"Statement": []}'}),
    ("GetVectorBucketPolicy", BUCKET),
    ("DeleteVectorBucketPolicy", BUCKET),
    (
        "CreateIndex",
        INDEX
        | CREATE
        | {"metadataConfiguration": {"nonFilterableMetadataKeys": ["text"], "textSearchConfigurations": TEXTS}},
    ),
    ("CreateIndex", BUCKET | CREATE | {"indexName": "second"}),
    ("ListIndexes", BUCKET | {"maxResults": 1}),
    ("GetIndex", INDEX),
    ("UpdateIndexMode", INDEX | {"indexMode": "ENHANCED"}),
    ("UpdateMetadataConfiguration", INDEX | {"add": {"textSearchConfigurations": [{"metadataKey": "more"}]}}),
    (
        "PutVectors",
        INDEX
        | {
            "vectors": [
                {"key": f"k{number}", "data": {"float32": [number, 1]}, "metadata": {"text": "word", "n": number}}
                for number in range(101)
            ]
        },
    ),
    ("GetVectors", INDEX | {"keys": ["k1"], "returnData": True, "returnMetadata": True}),
    ("ListVectors", INDEX | {"maxResults": 1, "returnData": True, "returnMetadata": True}),
    (
        "QueryVectors",
        QUERY | {"topK": 101, "queryTexts": [{"text": "word", "metadataKey": "text"}], "returnScores": True},
    ),
    ("DeleteVectors", INDEX | {"keys": ["k1"]}),
    ("TagResource", {"tags": {"c": "d"}}),
    ("ListTagsForResource", {}),
    ("UntagResource", {}),
    ("DeleteIndex", INDEX),
    ("DeleteVectorBucket", {"vectorBucketName": "two"}),
]
TAGS = {"ListTagsForResource": "GET", "TagResource": "POST", "UntagResource": "DELETE"}


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Any]]:
    """Give the answers, by operation."""
    found: dict[str, list[Any]] = {}
    with open_engine(None) as engine:
        for operation, members in STORY:
            reply = answer(engine, _call(operation, members))
            assert reply.status == 200, reply.body
            assert reply.headers["content-type"] == "application/json"
            found.setdefault(operation, []).append(json.loads(reply.body))
    return found


def _call(operation: str, members: dict[str, Any]) -> Call:
    path = f"/tags/{ARN}" if operation in TAGS else f"/{operation}"
    return Call(TAGS.get(operation, "POST"), path, "tagKeys=c", json.dumps(members).encode())


def _members(shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, ListShape):
        yield from _members(shape.member, path)
    elif isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield f"{path}/{name}"
            yield from _members(member, f"{path}/{name}")


def _present(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, ListShape):
        for item in value:
            yield from _present(item, shape.member, path)
    elif isinstance(shape, StructureShape) and not shape.metadata.get("document"):
        for name, inner in value.items():
            yield f"{path}/{name}"
            yield from _present(inner, shape.members[name], f"{path}/{name}")


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_output_members(model: ServiceModel, answers: dict[str, list[Any]], operation: str) -> None:
    """Every output member of the model is answered, no other is, and each is of its type and within its bounds."""
    shape = model.operation_model(operation).output_shape
    assert isinstance(shape, StructureShape)
    found = {path for each in answers[operation] for path in _present(each, shape, operation)}
    assert found == set(_members(shape, operation))
    for each in answers[operation]:
        assert ParamValidator().validate(each, shape).generate_report() == ""


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_empty_answers(model: ServiceModel, answers: dict[str, list[Any]], operation: str) -> None:
    """An operation without output members answers an empty object."""
    shape = model.operation_model(operation).output_shape
    assert isinstance(shape, StructureShape)
    if not shape.members:
        assert answers[operation] == [{}]


def test_creation_times_are_seconds(answers: dict[str, list[Any]]) -> None:
    """Times are epoch seconds."""
    (bucket,) = answers["GetVectorBucket"]
    assert 1_700_000_000 < bucket["vectorBucket"]["creationTime"] < 10_000_000_000


def test_the_story_is_of_all() -> None:
    """The story has every operation."""
    assert {operation for operation, _ in STORY} == OPERATIONS
