from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "arn:aws:s3vectors:us-east-1:000000000000:bucket/"
SHAPE = {"dataType": "float32", "dimension": 3, "distanceMetric": "cosine"}
MISSING = ("NotFoundException", "The specified index could not be found")


def _refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_create_and_get(client: Any, bucket: str) -> None:
    """An index is created by the bucket's ARN and found by name and by its own ARN."""
    arn = client.create_index(vectorBucketArn=f"{ACCOUNT}{bucket}", indexName="my.index", **SHAPE)["indexArn"]
    assert arn == f"{ACCOUNT}{bucket}/index/my.index"
    by_name = client.get_index(vectorBucketName=bucket, indexName="my.index")["index"]
    assert client.get_index(indexArn=arn)["index"] == by_name
    by_name.pop("creationTime")
    assert by_name == {
        "vectorBucketName": bucket,
        "indexName": "my.index",
        "indexArn": arn,
        **SHAPE,
        "encryptionConfiguration": {"sseType": "AES256"},
        "indexMode": "ENHANCED",
    }


def test_non_filterable_keys(client: Any, index: dict[str, str]) -> None:
    """The declared keys are given back."""
    found = client.get_index(**index)["index"]["metadataConfiguration"]
    assert found == {"nonFilterableMetadataKeys": ["text"]}


def test_empty_metadata_configuration(client: Any, bucket: str) -> None:
    """The newer model allows an empty list, or none."""
    values: dict[str, dict[str, list[str]]] = {"empty": {"nonFilterableMetadataKeys": []}, "none": {}}
    for name, value in values.items():
        client.create_index(vectorBucketName=bucket, indexName=name, metadataConfiguration=value, **SHAPE)


@pytest.mark.parametrize(
    ("change", "path", "rule"),
    [
        ({"dataType": "int"}, "/dataType", "Member must satisfy enum value set: [float32]"),
        ({"dimension": 99999}, "/dimension", "Member must be between 1 and 4096, inclusive"),
        ({"dimension": 0}, "/dimension", "Member must be between 1 and 4096, inclusive"),
        ({"distanceMetric": "what"}, "/distanceMetric", "Member must satisfy enum value set: [euclidean, cosine]"),
        ({"distanceMetric": None}, "/distanceMetric", "Member must not be null"),
    ],
    ids=str,
)
def test_bounds(client: Any, bucket: str, change: dict[str, Any], path: str, rule: str) -> None:
    """Members outside the model are refused in the counted style."""
    arguments = {name: value for name, value in (SHAPE | {"indexName": "abc"} | change).items() if value is not None}
    message = f"1 validation error detected. Value at '{path}' failed to satisfy constraint: {rule}"
    assert _refused(client.create_index, vectorBucketName=bucket, **arguments) == ("ValidationException", message)


def test_several_violations(client: Any, bucket: str) -> None:
    """All violations of one request are counted and told."""
    _, message = _refused(client.create_index, vectorBucketName=bucket, indexName="x", **SHAPE | {"dimension": 5000})
    assert message.startswith("2 validation errors detected. Value with length 1 at '/indexName' failed")
    assert "; Value at '/dimension' failed" in message


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ([f"k{number}" for number in range(11)], "'/metadataConfiguration/nonFilterableMetadataKeys'"),
        (["x" * 64], "Value with length 64 at '/metadataConfiguration/nonFilterableMetadataKeys/0'"),
        ([""], "Value with length 0 at '/metadataConfiguration/nonFilterableMetadataKeys/0'"),
    ],
    ids=["eleven", "long", "empty"],
)
def test_bounds_of_keys(client: Any, bucket: str, keys: list[str], part: str) -> None:
    """Ten non-filterable keys of up to 63 characters."""
    configuration = {"nonFilterableMetadataKeys": keys}
    arguments = {"vectorBucketName": bucket, "indexName": "abc", "metadataConfiguration": configuration, **SHAPE}
    assert part in _refused(client.create_index, **arguments)[1]


@pytest.mark.parametrize("name", ["a_b", "-ab", "ab.", "ABC"])
def test_characters_of_name(client: Any, bucket: str, name: str) -> None:
    """A name with other characters is refused."""
    arguments = {"vectorBucketName": bucket, "indexName": name, **SHAPE}
    assert _refused(client.create_index, **arguments) == ("ValidationException", "Invalid index name")


def test_name_taken(client: Any, index: dict[str, str]) -> None:
    """A name is taken once a bucket."""
    expected = ("ConflictException", "An index with the specified name already exists")
    assert _refused(client.create_index, **index, **SHAPE) == expected


def test_missing(client: Any, bucket: str) -> None:
    """An index that is not there is NotFound, worded as index also where the bucket is missing."""
    vector = {"key": "k", "data": {"float32": [1.0]}}
    calls: list[tuple[Any, dict[str, Any]]] = [
        (client.get_index, {}),
        (client.delete_index, {}),
        (client.update_index_mode, {"indexMode": "ENHANCED"}),
        (client.put_vectors, {"vectors": [vector]}),
        (client.get_vectors, {"keys": ["k"]}),
        (client.delete_vectors, {"keys": ["k"]}),
        (client.list_vectors, {}),
        (client.query_vectors, {"topK": 1, "queryVector": {"float32": [1.0]}}),
    ]
    for call, more in calls:
        assert _refused(call, vectorBucketName=bucket, indexName="absent", **more) == MISSING
        assert _refused(call, vectorBucketName="absent", indexName="absent", **more) == MISSING
        assert _refused(call, indexArn=f"{ACCOUNT}{bucket}/index/absent", **more) == MISSING


def test_address(client: Any, index: dict[str, str]) -> None:
    """An index is addressed by its ARN alone, or by both names."""
    expected = ("ValidationException", "Must specify either indexArn or both vectorBucketName and indexName")
    arn = f"{ACCOUNT}{index['vectorBucketName']}/index/{index['indexName']}"
    for address in (
        {},
        {"indexName": index["indexName"]},
        {"vectorBucketName": index["vectorBucketName"]},
        index | {"indexArn": arn},
        {"indexName": index["indexName"], "indexArn": arn},
        {"vectorBucketName": index["vectorBucketName"], "indexArn": arn},
    ):
        assert _refused(client.get_index, **address) == expected


def test_list(client: Any, bucket: str) -> None:
    """Indexes are listed by name, by prefix, in pages; those of other buckets are not among them."""
    names = [f"items-{number}" for number in range(5)]
    for name in (*reversed(names), "other"):
        client.create_index(vectorBucketName=bucket, indexName=name, **SHAPE)
    paginator = client.get_paginator("list_indexes")
    pages = list(paginator.paginate(vectorBucketName=bucket, prefix="items", PaginationConfig={"PageSize": 2}))
    assert [len(page["indexes"]) for page in pages] == [2, 2, 1]
    assert [each["indexName"] for page in pages for each in page["indexes"]] == names
    (other,) = client.list_indexes(vectorBucketArn=f"{ACCOUNT}{bucket}", prefix="o")["indexes"]
    assert other.pop("creationTime")
    arn = f"{ACCOUNT}{bucket}/index/other"
    assert other == {"vectorBucketName": bucket, "indexName": "other", "indexArn": arn}


@pytest.mark.parametrize("bad", [0, 501])
def test_size_of_page(client: Any, bucket: str, bad: int) -> None:
    """A page has 1 to 500 entries."""
    assert (
        "Member must be between 1 and 500, inclusive"
        in _refused(client.list_indexes, vectorBucketName=bucket, maxResults=bad)[1]
    )


def test_delete(client: Any, index: dict[str, str]) -> None:
    """A deleted index is gone with its vectors; deleting it again is NotFound."""
    client.put_vectors(**index, vectors=[{"key": "k", "data": {"float32": [1.0, 2.0]}}])
    client.delete_index(**index)
    assert _refused(client.delete_index, **index) == MISSING
    client.create_index(**index, **SHAPE)
    assert client.list_vectors(**index)["vectors"] == []


def test_mode(client: Any, index: dict[str, str]) -> None:
    """An index may be set to ENHANCED, and not back."""
    client.update_index_mode(**index, indexMode="ENHANCED")
    assert _refused(client.update_index_mode, **index, indexMode="CLASSIC")[0] == "ValidationException"
