"""The AWS CLI: shorthand and JSON arguments, its own paging, its errors."""

import json
import subprocess
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

Aws = Callable[..., Any]
HORROR = '{"$and": [{"genre": "horror"}, {"year": {"$gt": 1970}}]}'


@pytest.fixture
def aws(aws_cli: str) -> Aws:
    """Run an operation, and give its output."""

    def run(operation: str, **arguments: str) -> Any:
        given = [part for name, value in arguments.items() for part in _argument(name, value)]
        command = [aws_cli, "s3vectors", operation, *given, "--output", "json"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise RuntimeError(answer.stderr.strip())
        return json.loads(answer.stdout or "{}")

    return run


def test_a_life(aws: Aws, films: list[dict[str, Any]]) -> None:
    """A bucket and an index are made, filled, queried under a filter, read, emptied and deleted."""
    bucket = {"vector_bucket_name": f"bucket-{uuid4()}"}
    index = {**bucket, "index_name": "films"}
    made = aws("create-vector-bucket", **bucket, tags="team=search,cost=none")
    assert aws("list-tags-for-resource", resource_arn=made["vectorBucketArn"])["tags"] == {
        "team": "search",
        "cost": "none",
    }
    configuration = "nonFilterableMetadataKeys=text,more"
    aws("create-index", **index, **_shape(2), metadata_configuration=configuration)
    assert aws("get-index", **index)["index"]["metadataConfiguration"] == {
        "nonFilterableMetadataKeys": ["text", "more"]
    }
    aws("put-vectors", **index, vectors=json.dumps(films))
    found = aws(
        "query-vectors",
        **index,
        top_k="5",
        query_vector="float32=1,0",
        filter=HORROR,
        return_metadata="",
        return_distance="",
    )
    assert found["distanceMetric"] == "cosine"
    assert [(each["key"], each["metadata"]) for each in found["vectors"]] == [("alien", films[0]["metadata"])]
    assert found["vectors"][0]["distance"] == pytest.approx(1 - (1 + 0.125**2) ** -0.5, abs=1e-6)
    assert aws("get-vectors", **index, keys="up", return_data="")["vectors"] == [
        {"key": "up", "data": films[2]["data"]}
    ]
    aws("delete-vectors", **index, keys="up")
    assert aws("get-vectors", **index, keys="up")["vectors"] == []
    aws("delete-index", **index)
    aws("delete-vector-bucket", **bucket)


def test_its_pages(aws: Aws, plain: Any, bucket: str) -> None:
    """It follows the server's tokens, for lists as for queries of more than a page, and gives tokens of its own."""
    plain.create_index(
        vectorBucketName=bucket, indexName="many", dataType="float32", dimension=1, distanceMetric="euclidean"
    )
    vectors = [{"key": f"{number:03}", "data": {"float32": [number]}} for number in range(150)]
    plain.put_vectors(vectorBucketName=bucket, indexName="many", vectors=vectors)
    index = {"vector_bucket_name": bucket, "index_name": "many"}
    first = aws("list-vectors", **index, page_size="40", max_items="100")
    rest = aws("list-vectors", **index, page_size="40", starting_token=first["NextToken"])
    assert "NextToken" not in rest
    keys = [each["key"] for each in first["vectors"] + rest["vectors"]]
    assert (len(first["vectors"]), keys) == (100, [each["key"] for each in vectors])
    found = aws("query-vectors", **index, top_k="150", query_vector='{"float32": [0]}')
    assert [each["key"] for each in found["vectors"]] == [each["key"] for each in vectors]


def test_its_errors(aws: Aws, bucket: str) -> None:
    """It shows type, operation and message of what the server refuses."""
    with pytest.raises(RuntimeError, match=r"\(NotFoundException\) when calling the GetIndex operation: The specified"):
        aws("get-index", vector_bucket_name=bucket, index_name="none")
    aws("create-index", vector_bucket_name=bucket, index_name="films", **_shape(2))
    with pytest.raises(RuntimeError, match=r"\(ConflictException\) when calling the DeleteVectorBucket operation: "):
        aws("delete-vector-bucket", vector_bucket_name=bucket)
    with pytest.raises(RuntimeError, match=r"\(ValidationException\) when calling the QueryVectors operation: "):
        aws("query-vectors", vector_bucket_name=bucket, index_name="films", top_k="1", query_vector="float32=1,2,3")


def _shape(dimension: int) -> dict[str, str]:
    return {"data_type": "float32", "dimension": str(dimension), "distance_metric": "cosine"}


def _argument(name: str, value: str) -> list[str]:
    return [f"--{name.replace('_', '-')}", *([value] if value else [])]
