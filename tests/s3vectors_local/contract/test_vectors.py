from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

Address = dict[str, str]


def _put(client: Any, index: Address, *vectors: tuple[str, Sequence[float], dict[str, Any] | None]) -> None:
    client.put_vectors(
        **index,
        vectors=[
            {"key": key, "data": {"float32": data}} | ({} if metadata is None else {"metadata": metadata})
            for key, data, metadata in vectors
        ],
    )


def _refused(call: Any, **arguments: Any) -> tuple[str, str, list[dict[str, str]]]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response.get("fieldList", [])


def test_put_and_get(client: Any, index: Address) -> None:
    """What was put is got back: by default the key alone, data and metadata on request, {} where there is none."""
    _put(client, index, ("a", [1.5, -2], {"text": "long", "n": 1, "tags": ["x"], "b": True}), ("b", [0, 0.25], None))
    assert client.get_vectors(**index, keys=["a"])["vectors"] == [{"key": "a"}]
    both = client.get_vectors(**index, keys=["a", "absent", "b", "a"], returnData=True, returnMetadata=True)["vectors"]
    assert both == [
        {
            "key": "a",
            "data": {"float32": [1.5, -2]},
            "metadata": {"n": 1, "tags": ["x"], "b": True, "text": "long"},
        },
        {"key": "b", "data": {"float32": [0, 0.25]}, "metadata": {}},
    ]


def test_by_arn(client: Any, index: Address) -> None:
    """Vectors are reached by the index's ARN."""
    arn = client.get_index(**index)["index"]["indexArn"]
    _put(client, {"indexArn": arn}, ("a", [1, 2], None))
    assert client.list_vectors(indexArn=arn)["vectors"] == [{"key": "a"}]


def test_put_replaces_everything(client: Any, index: Address) -> None:
    """A second put of a key replaces data and metadata; metadata that is left out is cleared."""
    _put(client, index, ("a", [1, 2], {"n": 1, "text": "t"}))
    _put(client, index, ("a", [3, 4], None))
    (found,) = client.get_vectors(**index, keys=["a"], returnData=True, returnMetadata=True)["vectors"]
    assert found == {"key": "a", "data": {"float32": [3, 4]}, "metadata": {}}


def test_values_are_float32(client: Any, index: Address) -> None:
    """Components come back as the very numbers that were stored: what they were before, if that was a float32."""
    values = [0.1, 3.4028235e38]
    _put(client, index, ("a", values, None), ("b", [1.5e-45, -0.3], None))
    found = client.get_vectors(**index, keys=["a"], returnData=True)["vectors"][0]["data"]["float32"]
    assert found == np.array(values, np.float32).tolist() != values
    listed = client.list_vectors(**index, returnData=True)["vectors"]
    assert [each["data"]["float32"] for each in listed] == [found, np.array([1.5e-45, -0.3], np.float32).tolist()]


@pytest.mark.parametrize("bad", [1e39, 3.40282357e38, -1e300, float("nan"), float("inf")])
def test_not_finite_in_float32(client: Any, index: Address, bad: float) -> None:
    """A component that float32 cannot hold is refused, though a double can."""
    with pytest.raises(ClientError) as caught:
        _put(client, index, ("a", [1, bad], None))
    assert caught.value.response["Error"]["Message"] == "Invalid record for key 'a': vector contains NaNs or Infs"
    arguments = {"topK": 1, "queryVector": {"float32": [1.0, bad]}}
    code, message, fields = _refused(client.query_vectors, **index, **arguments)
    assert code == "ValidationException"
    assert message == "Query vector contains invalid values or is invalid for this index"
    assert fields[0]["path"] == "vector"


def test_zero_in_float32(client: Any, bucket: str) -> None:
    """On a cosine index a vector that becomes zero in float32 is refused; the smallest subnormal is not."""
    index = {"vectorBucketName": bucket, "indexName": "cosine"}
    client.create_index(**index, dataType="float32", dimension=2, distanceMetric="cosine")
    _put(client, index, ("a", [1.5e-45, 0], None))
    vector = {"key": "zero", "data": {"float32": [1e-46, 0.0]}}
    reason = "cosine distance does not support vectors with zero norm"
    assert _refused(client.put_vectors, **index, vectors=[vector]) == (
        "ValidationException",
        f"Invalid record for key 'zero': {reason}",
        [{"path": "vectors[0]", "message": reason}],
    )
    assert _refused(client.query_vectors, **index, topK=1, queryVector={"float32": [0.0, 0.0]})[2] == [
        {"path": "vector", "message": f"Invalid input: {reason}"}
    ]


def test_wrong_dimension(client: Any, index: Address) -> None:
    """The error names key, expected and actual length; nothing of the request is stored."""
    vectors = [{"key": "ok", "data": {"float32": [1, 2]}}, {"key": "my_first_vector", "data": {"float32": [1.0]}}]
    _, message, _ = _refused(client.put_vectors, **index, vectors=vectors)
    assert message == "Invalid record for key 'my_first_vector': vector must have length 2, but has length 1"
    assert client.list_vectors(**index)["vectors"] == []


@pytest.mark.parametrize("count", [0, 501])
def test_size_of_put(client: Any, index: Address, count: int) -> None:
    """1 to 500 vectors a request."""
    vectors = [{"key": f"k{number}", "data": {"float32": [1, 2]}} for number in range(count)]
    assert _refused(client.put_vectors, **index, vectors=vectors)[1] == (
        f"1 validation error detected. Value with length {count} at '/vectors' failed to satisfy constraint: "
        "Member must have length between 1 and 500, inclusive"
    )


def test_largest_put(client: Any, index: Address) -> None:
    """500 vectors go in, and out by list in pages."""
    _put(client, index, *((f"k{number}", [number, 1], None) for number in range(500)))
    paginator = client.get_paginator("list_vectors")
    keys = [each["key"] for page in paginator.paginate(**index, maxResults=120) for each in page["vectors"]]
    assert keys == [f"k{number}" for number in range(500)]


@pytest.mark.parametrize(("verb", "most"), [("get_vectors", 100), ("delete_vectors", 500)])
def test_number_of_keys(client: Any, index: Address, verb: str, most: int) -> None:
    """100 keys to get, 500 to delete, at least one."""
    call = getattr(client, verb)
    call(**index, keys=[f"k{number}" for number in range(most)])
    for count in (0, most + 1):
        message = _refused(call, **index, keys=[f"k{number}" for number in range(count)])[1]
        assert f"Value with length {count} at '/keys'" in message


def test_length_of_key(client: Any, index: Address) -> None:
    """A key has 1 to 1,024 characters, and at most 1,024 bytes."""
    _put(client, index, ("a" * 1024, [1, 2], None))
    vectors = [{"key": "a" * 1025, "data": {"float32": [1, 2]}}]
    assert _refused(client.put_vectors, **index, vectors=vectors)[1] == (
        "1 validation error detected. Value with length 1025 at '/vectors/0/key' failed to satisfy constraint: "
        "Member must have length between 1 and 1024, inclusive"
    )
    message = "Record key length exceeds the maximum allowed"
    assert _refused(client.get_vectors, **index, keys=["中" * 342])[1] == message


def test_metadata_rules(client: Any, index: Address) -> None:
    """A rule that metadata breaks is told with the key and the path."""
    vectors = [
        {"key": "ok", "data": {"float32": [1, 2]}},
        {"key": "nested", "data": {"float32": [1, 2]}, "metadata": {"a": {"b": 1}}},
    ]
    reason = "Metadata values must be strings, numbers, booleans, or arrays"
    assert _refused(client.put_vectors, **index, vectors=vectors) == (
        "ValidationException",
        f"Invalid record for key 'nested': {reason}",
        [{"path": "vectors[1].metadata", "message": reason}],
    )


def test_non_filterable_metadata_may_be_long(client: Any, index: Address) -> None:
    """2 KB hold for filterable keys only."""
    _put(client, index, ("a", [1, 2], {"text": "x" * 30_000, "n": 1}))
    with pytest.raises(ClientError, match="Filterable metadata must have at most 2048 bytes"):
        _put(client, index, ("b", [1, 2], {"other": "x" * 3000}))


def test_delete(client: Any, index: Address) -> None:
    """Deleted keys are gone; absent ones are ignored."""
    _put(client, index, ("a", [1, 2], None), ("b", [1, 2], None))
    client.delete_vectors(**index, keys=["a", "absent"])
    assert client.list_vectors(**index)["vectors"] == [{"key": "b"}]


def test_delete_a_key_twice(client: Any, index: Address) -> None:
    """A request that names a key twice is refused, and nothing is deleted."""
    _put(client, index, ("a", [1, 2], None), ("b", [1, 2], None))
    refused = _refused(client.delete_vectors, **index, keys=["b", "a", "b"])
    assert refused == ("ValidationException", "Request must not contain duplicate keys", [])
    assert client.list_vectors(**index)["vectors"] == [{"key": "a"}, {"key": "b"}]


@pytest.mark.parametrize("call", ["get_vectors", "delete_vectors"])
def test_keys_of_an_absent_index(client: Any, index: Address, call: str) -> None:
    """That the index is not there is told before what is wrong with its keys."""
    keys = ["\u4e2d" * 342, "a", "a"]  # more bytes than a key may have, though not more characters
    absent = {**index, "indexName": "absent"}
    assert _refused(getattr(client, call), **absent, keys=keys)[0] == "NotFoundException"
    assert _refused(getattr(client, call), **index, keys=keys)[0] == "ValidationException"


def test_list_returns(client: Any, index: Address) -> None:
    """List gives keys, and data and metadata on request."""
    _put(client, index, ("a", [1, 2], {"m": "d"}))
    assert client.list_vectors(**index)["vectors"] == [{"key": "a"}]
    assert client.list_vectors(**index, returnMetadata=True)["vectors"] == [{"key": "a", "metadata": {"m": "d"}}]
    assert client.list_vectors(**index, returnData=True)["vectors"] == [{"key": "a", "data": {"float32": [1, 2]}}]


@pytest.mark.parametrize("count", [1, 3, 16])
def test_segments(client: Any, index: Address, count: int) -> None:
    """The segments together hold each vector once."""
    _put(client, index, *((f"k{number}", [1, number], None) for number in range(50)))
    paginator = client.get_paginator("list_vectors")
    found = [
        each["key"]
        for segment in range(count)
        for page in paginator.paginate(**index, segmentCount=count, segmentIndex=segment, maxResults=7)
        for each in page["vectors"]
    ]
    assert sorted(found) == sorted(f"k{number}" for number in range(50))


@pytest.mark.parametrize(
    "segment",
    [{"segmentCount": 2}, {"segmentIndex": 0}, {"segmentCount": 2, "segmentIndex": 2}, {"segmentCount": 17}],
    ids=str,
)
def test_wrong_segments(client: Any, index: Address, segment: dict[str, int]) -> None:
    """Both members or neither, and the index below the count."""
    assert _refused(client.list_vectors, **index, **segment)[0] == "ValidationException"


def test_list_token_is_bound(client: Any, index: Address) -> None:
    """A token is good for its own request: same index, same segment, same parts; the page size may change."""
    _put(client, index, *((f"k{number}", [1, number], None) for number in range(5)))
    token = client.list_vectors(**index, maxResults=2)["nextToken"]
    assert len(client.list_vectors(**index, maxResults=3, nextToken=token)["vectors"]) == 3
    for change in ({"returnData": True}, {"segmentCount": 2, "segmentIndex": 0}, {"nextToken": token[:-2] + "AA"}):
        code, message, fields = _refused(client.list_vectors, **index, **{"nextToken": token} | change)
        assert (code, fields[0]["path"]) == ("ValidationException", "nextToken")
        assert "nextToken is invalid" in message
