"""The AWS SDK for JavaScript: its own serializer, parser, signer and retries."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

Send = Callable[..., list[Any]]


@pytest.fixture
def send(javascript: Path) -> Send:
    """Send some requests one after the other, and give what came back for each."""
    script = shutil.copy(Path(__file__).parent / "js" / "send.js", javascript / "send.mjs")

    def run(*requests: tuple[str, dict[str, Any]]) -> list[Any]:
        text = json.dumps(requests)
        answer = subprocess.run(["node", str(script)], input=text, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]

    return run


def test_a_life(send: Send, films: list[dict[str, Any]]) -> None:
    """A bucket and an index are made, filled, queried under a filter, listed by pages, emptied and deleted."""
    bucket = {"vectorBucketName": f"bucket-{uuid4()}"}
    index = {**bucket, "indexName": "films"}
    made, shape, _, found, pages, _, left, *gone = send(
        ("CreateVectorBucket", bucket),
        ("CreateIndex", {**index, "dataType": "float32", "dimension": 2, "distanceMetric": "cosine"}),
        ("PutVectors", {**index, "vectors": films}),
        (
            "QueryVectors",
            {
                **index,
                "topK": 5,
                "queryVector": {"float32": [1, 0]},
                "filter": {"$and": [{"genre": "horror"}, {"year": {"$gt": 1970}}]},
                "returnMetadata": True,
                "returnDistance": True,
            },
        ),
        ("paginateListVectors", {**index, "maxResults": 2, "returnData": True}),
        ("DeleteVectors", {**index, "keys": ["alien", "up"]}),
        ("GetVectors", {**index, "keys": ["alien", "psycho"]}),
        ("DeleteIndex", index),
        ("DeleteVectorBucket", bucket),
    )
    assert made["vectorBucketArn"].endswith(bucket["vectorBucketName"])
    assert shape["indexArn"] == f"{made['vectorBucketArn']}/index/films"
    assert found["distanceMetric"] == "cosine"
    assert [(each["key"], each["metadata"]) for each in found["vectors"]] == [("alien", films[0]["metadata"])]
    assert found["vectors"][0]["distance"] == pytest.approx(1 - (1 + 0.125**2) ** -0.5, abs=1e-6)
    bare = [{"key": each["key"], "data": each["data"]} for each in films]
    assert [page["vectors"] for page in pages] == [bare[:2], bare[2:]]
    assert left["vectors"] == [{"key": "psycho"}]
    assert gone == [{}, {}]


def test_it_parses_times_and_metadata_and_tags(send: Send, plain: Any, bucket: str) -> None:
    """Dates, booleans, numbers, arrays and text beyond ASCII arrive; ARNs in the path are found."""
    metadata = {"ok": True, "n": -3, "f": 0.5, "tags": ["ä", "日本"], "numbers": [1, 2.5]}
    index = {"vectorBucketName": bucket, "indexName": "films"}
    bucket_arn = plain.get_vector_bucket(vectorBucketName=bucket)["vectorBucket"]["vectorBucketArn"]
    arn = {"resourceArn": f"{bucket_arn}/index/films"}
    *_, described, got, _, tagged, _, untagged = send(
        ("CreateIndex", {**index, "dataType": "float32", "dimension": 1, "distanceMetric": "euclidean"}),
        ("PutVectors", {**index, "vectors": [{"key": "ключ", "data": {"float32": [0.125]}, "metadata": metadata}]}),
        ("GetIndex", index),
        ("GetVectors", {"indexArn": arn["resourceArn"], "keys": ["ключ"], "returnData": True, "returnMetadata": True}),
        ("TagResource", {**arn, "tags": {"cost centre": "a/b=c"}}),
        ("ListTagsForResource", arn),
        ("UntagResource", {**arn, "tagKeys": ["cost centre"]}),
        ("ListTagsForResource", arn),
    )
    assert described["index"]["creationTime"].endswith("Z")
    assert got["vectors"] == [{"key": "ключ", "data": {"float32": [0.125]}, "metadata": metadata}]
    assert (tagged["tags"], untagged["tags"]) == ({"cost centre": "a/b=c"}, {})


def test_a_query_of_more_than_a_page(send: Send, plain: Any, bucket: str) -> None:
    """Its paginator follows the tokens of a query to the end."""
    index = {"vectorBucketName": bucket, "indexName": "many"}
    plain.create_index(**index, dataType="float32", dimension=1, distanceMetric="euclidean")
    vectors = [{"key": f"{number:03}", "data": {"float32": [number]}} for number in range(150)]
    plain.put_vectors(**index, vectors=vectors)
    [pages] = send(("paginateQueryVectors", {**index, "topK": 150, "queryVector": {"float32": [0]}}))
    assert [len(page["vectors"]) for page in pages] == [100, 50]
    assert [each["key"] for page in pages for each in page["vectors"]] == [each["key"] for each in vectors]


def test_its_errors(send: Send, plain: Any, bucket: str) -> None:
    """Each is of its own class, with status, message and, for what is invalid, the fields."""
    index = {"vectorBucketName": bucket, "indexName": "films"}
    plain.create_index(**index, dataType="float32", dimension=2, distanceMetric="cosine")
    missing, taken, wrong = send(
        ("GetIndex", {**index, "indexName": "none"}),
        ("CreateVectorBucket", {"vectorBucketName": bucket}),
        ("QueryVectors", {**index, "topK": 1, "queryVector": {"float32": [1]}}),
    )
    assert (missing["error"], missing["status"]) == ("NotFoundException", 404)
    assert (taken["error"], taken["status"]) == ("ConflictException", 409)
    assert (wrong["error"], wrong["status"], len(wrong["fieldList"])) == ("ValidationException", 400, 1)
    assert missing["message"] == "The specified index could not be found"
