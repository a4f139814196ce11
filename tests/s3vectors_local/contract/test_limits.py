"""Both sides of every limit that published probes of the live service found, through a client."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

Address = dict[str, str]

FILTERABLE = "Filterable metadata must have at most 2048 bytes"
WHOLE = "Metadata object must have at most 40960 bytes"
KEYS = "Metadata object must have at most 50 keys"
KEY_LENGTH = "Member must have length between 1 and 1024, inclusive"
KEY_BYTES = "Record key length exceeds the maximum allowed"


def _put(client: Any, index: Address, metadata: Any = None, key: str = "k") -> None:
    vector = {"key": key, "data": {"float32": [1, 2]}} | ({} if metadata is None else {"metadata": metadata})
    client.put_vectors(**index, vectors=[vector])


def _refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


def _numbered(count: int, value: Any) -> dict[str, Any]:
    return {f"k{number:02}": value for number in range(count)}


def _one_key(name: str) -> Any:
    return lambda size: {name: "x" * size}


@pytest.mark.parametrize(
    ("make", "largest", "reason"),
    [
        (_one_key("f"), 2035, FILTERABLE),
        (_one_key("ffffffffff"), 2026, FILTERABLE),
        (lambda size: {"f": "\n" * size}, 2035, FILTERABLE),
        (lambda size: {"f": "x" * size} | {f"i{number}": 7 for number in range(10)}, 1895, FILTERABLE),
        (lambda size: {"f": "x" * size, "a": [1.5] * 50}, 1626, FILTERABLE),
        (lambda size: {"f": "x" * size} | _numbered(19, "y"), 1807, FILTERABLE),
        (lambda size: {"f": "é" * size}, 1017, FILTERABLE),
        (lambda size: {"f": "x" * size, "b": True}, 2026, FILTERABLE),
        (_one_key("text"), 40_944, WHOLE),
        (lambda size: {"text": "x" * size} | _numbered(30, "v"), 40_584, WHOLE),
    ],
    ids=["string", "long key", "newlines", "numbers", "array", "entries", "UTF-8", "boolean", "whole", "both"],
)
def test_bytes_of_metadata(client: Any, index: Address, make: Any, largest: int, reason: str) -> None:
    """Metadata of the largest size that the service takes is stored; one byte more is refused."""
    _put(client, index, make(largest))
    with pytest.raises(ClientError) as caught:
        _put(client, index, make(largest + 1), key="more")
    assert caught.value.response["Error"]["Message"] == f"Invalid record for key 'more': {reason}"
    assert caught.value.response["fieldList"] == [{"path": "vectors[0].metadata", "message": reason}]


def test_keys_of_metadata(client: Any, index: Address) -> None:
    """50 keys, filterable or not."""
    _put(client, index, _numbered(49, 1) | {"text": "x"})
    with pytest.raises(ClientError, match=KEYS):
        _put(client, index, _numbered(50, 1) | {"text": "x"})


@pytest.mark.parametrize("name", ["", "$eq", "a.b", "x" * 1024, "a\0b", "é😀", "float32"])
def test_any_metadata_key(client: Any, index: Address, name: str) -> None:
    """A metadata key is any text, and comes back as it was; a dot is no path."""
    _put(client, index, {name: 1})
    arguments = {"keys": ["k"], "returnMetadata": True}
    assert client.get_vectors(**index, **arguments)["vectors"][0]["metadata"] == {name: 1}
    if not name.startswith("$"):
        found = client.query_vectors(**index, topK=1, queryVector={"float32": [1, 2]}, filter={name: {"$gte": 1}})
        assert [each["key"] for each in found["vectors"]] == ["k"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "Metadata values must be strings, numbers, booleans, or arrays"),
        (None, "Metadata values must be strings, numbers, booleans, or arrays"),
        ([], "Empty arrays are not allowed in metadata"),
        ([True, False], "Metadata array values must be strings or numbers"),
        ([1, "a"], "Metadata array values must be strings or numbers"),
        ([None], "Metadata array values must be strings or numbers"),
        ([[1]], "Metadata array values must be strings or numbers"),
        ([{"a": 1}], "Metadata array values must be strings or numbers"),
    ],
    ids=str,
)
@pytest.mark.parametrize("key", ["f", "text"])
def test_kinds_of_metadata(client: Any, index: Address, key: str, value: Any, reason: str) -> None:
    """The same kinds of values are refused under a filterable and under a non-filterable key."""
    with pytest.raises(ClientError) as caught:
        _put(client, index, {key: value})
    assert caught.value.response["Error"]["Message"] == f"Invalid record for key 'k': {reason}"


@pytest.mark.parametrize(
    "value", ["", 0, -1.5, True, False, 2**53 + 1, ["a"], [""], ["x", "x"], [1, 2.5], [0.1]], ids=str
)
def test_metadata_comes_back(client: Any, index: Address, value: Any) -> None:
    """What is accepted comes back as it was, to the type."""
    _put(client, index, {"f": value})
    (found,) = client.get_vectors(**index, keys=["k"], returnMetadata=True)["vectors"]
    assert repr(found["metadata"]) == repr({"f": value})


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("a", None),
        ("a" * 1024, None),
        ("中" * 340 + "abcd", None),
        ("😀" * 256, None),
        ("a\0b\n ", None),
        ("a" * 1025, KEY_LENGTH),
        ("", KEY_LENGTH),
        ("中" * 340 + "abcde", KEY_BYTES),
        ("中" * 1024, KEY_BYTES),
        ("😀" * 1024, KEY_BYTES),
    ],
    ids=["1", "1024", "1024 bytes", "emoji", "control", "1025", "empty", "1025 bytes", "3072 bytes", "4096 bytes"],
)
def test_keys(client: Any, index: Address, key: str, reason: str | None) -> None:
    """1 to 1,024 characters and at most 1,024 bytes, on writing, reading and deleting alike."""
    if reason is None:
        _put(client, index, key=key)
        assert client.get_vectors(**index, keys=[key])["vectors"] == [{"key": key}]
        assert client.list_vectors(**index)["vectors"] == [{"key": key}]
        client.delete_vectors(**index, keys=[key])
        assert client.list_vectors(**index)["vectors"] == []
        return
    vector = {"key": key, "data": {"float32": [1, 2]}}
    assert reason in _refused(client.put_vectors, **index, vectors=[vector])
    assert reason in _refused(client.get_vectors, **index, keys=[key])
    assert reason in _refused(client.delete_vectors, **index, keys=[key])


@pytest.mark.parametrize(
    ("document", "accepted"),
    [
        ({"n": {"$in": list(range(100))}}, True),
        ({"n": {"$in": list(range(101))}}, False),
        ({"$and": [{"n": {"$nin": list(range(50))}}, {"m": {"$in": list(range(50))}}]}, True),
        ({"$and": [{"n": {"$nin": list(range(50))}}, {"m": {"$in": list(range(51))}}]}, False),
        ({"$or": [{"n": number} for number in range(100)]}, True),
        ({"$or": [{"n": number} for number in range(101)]}, False),
        ({"$and": [{"n": {"$gte": number, "$lte": 200}} for number in range(50)]}, True),
        ({"$and": [*({"n": {"$gte": number, "$lte": 200}} for number in range(50)), {"n": {"$exists": True}}]}, False),
        ({"$and": [{"$or": [{"n": 1}, {"s": {"$startsWith": "x"}}]}] * 50}, True),
        ({"$and": [{"$or": [{"n": 1}, {"s": {"$startsWith": "x"}}]}] * 50 + [{"n": 1}]}, False),
    ],
    ids=["$in", "$in+1", "$nin", "$nin+1", "$or", "$or+1", "ranges", "$exists", "nested", "nested+1"],
)
def test_constraints_of_a_filter(client: Any, index: Address, document: Any, accepted: bool) -> None:
    """A filter evaluates at most 100 values; `$and` and `$or` themselves count nothing."""
    arguments = {"topK": 1, "queryVector": {"float32": [1, 2]}, "filter": document}
    if accepted:
        assert client.query_vectors(**index, **arguments)["vectors"] == []
    else:
        assert _refused(client.query_vectors, **index, **arguments) == "Invalid filter"
