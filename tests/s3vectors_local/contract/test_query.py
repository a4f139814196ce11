import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

Address = dict[str, str]


@pytest.fixture
def filled(client: Any, index: Address) -> Address:
    """Give the index with k0 .. k9 along a line, even ones red."""
    vectors = [
        {
            "key": f"k{number}",
            "data": {"float32": [number, 0]},
            "metadata": {"n": number, "color": "red" if number % 2 == 0 else "blue", "text": f"t{number}"},
        }
        for number in range(10)
    ]
    client.put_vectors(**index, vectors=vectors)
    return index


def _query(client: Any, index: Address, **more: Any) -> Any:
    return client.query_vectors(**index, **{"topK": 3, "queryVector": {"float32": [0, 0]}} | more)


def _refused(client: Any, index: Address, **more: Any) -> tuple[str, list[dict[str, str]]]:
    with pytest.raises(ClientError) as caught:
        _query(client, index, **more)
    response = caught.value.response
    assert response["Error"]["Code"] == "ValidationException"
    return response["Error"]["Message"], response.get("fieldList", [])


def test_nearest_first(client: Any, filled: Address) -> None:
    """Keys alone by default, nearest first, with the index's metric."""
    answer = _query(client, filled)
    assert answer["vectors"] == [{"key": "k0"}, {"key": "k1"}, {"key": "k2"}]
    assert answer["distanceMetric"] == "euclidean"
    assert "nextToken" not in answer


def test_distance_and_metadata(client: Any, filled: Address) -> None:
    """Euclidean distances are squared; metadata comes whole."""
    answer = _query(client, filled, topK=2, queryVector={"float32": [3.5, 1]}, returnDistance=True, returnMetadata=True)
    assert answer["vectors"] == [
        {"key": "k3", "distance": 1.25, "metadata": {"n": 3, "color": "blue", "text": "t3"}},
        {"key": "k4", "distance": 1.25, "metadata": {"n": 4, "color": "red", "text": "t4"}},
    ]


def test_cosine(client: Any, bucket: str) -> None:
    """Cosine distances go from 0 to 2, whatever the lengths."""
    index = {"vectorBucketName": bucket, "indexName": "cosine"}
    client.create_index(**index, dataType="float32", dimension=2, distanceMetric="cosine")
    data = {"same": [5, 0], "across": [0, 0.1], "opposite": [-9, 0]}
    client.put_vectors(**index, vectors=[{"key": key, "data": {"float32": value}} for key, value in data.items()])
    answer = _query(client, index, queryVector={"float32": [1, 0]}, returnDistance=True)
    assert answer["distanceMetric"] == "cosine"
    found = {each["key"]: each["distance"] for each in answer["vectors"]}
    assert found == pytest.approx({"same": 0, "across": 1, "opposite": 2}, abs=1e-6)


def test_filter(client: Any, filled: Address) -> None:
    """Only what matches, and topK of it."""
    answer = _query(client, filled, filter={"$and": [{"color": "red"}, {"n": {"$gte": 3}}]})
    assert [each["key"] for each in answer["vectors"]] == ["k4", "k6", "k8"]
    assert _query(client, filled, filter={"color": "green"})["vectors"] == []


def test_top_k_beyond_the_index(client: Any, filled: Address) -> None:
    """Asking for more than there is gives what there is."""
    assert len(_query(client, filled, topK=10_000)["vectors"]) == 10


def test_empty_index(client: Any, index: Address) -> None:
    """An empty index gives an empty list."""
    assert _query(client, index)["vectors"] == []


@pytest.mark.parametrize("top_k", [0, -1, 10_001])
def test_bounds_of_top_k(client: Any, filled: Address, top_k: int) -> None:
    """TopK goes from 1 to 10,000."""
    message, fields = _refused(client, filled, topK=top_k)
    rule = "greater than or equal to 1" if top_k < 1 else "between 1 and 10000, inclusive"
    phrase = f"Value at '/topK' failed to satisfy constraint: Member must be {rule}"
    assert message == f"1 validation error detected. {phrase}"
    assert fields == [{"path": "/topK", "message": phrase}]


def test_reason_of_a_malformed_filter(client: Any, filled: Address) -> None:
    """A header says, as a JSON string, what is wrong with it, whatever characters it holds."""
    for operator in ("$eg", "$ü\n🙂"):
        with pytest.raises(ClientError) as caught:
            _query(client, filled, filter={"color": {operator: "red"}})
        header = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-s3vectors-local-reason"]
        assert json.loads(header) == f"{operator} is not an operator of a key"


def test_wrong_dimension(client: Any, filled: Address) -> None:
    """The query has the index's dimension."""
    message, fields = _refused(client, filled, queryVector={"float32": [1.0]})
    assert message == "Query vector contains invalid values or is invalid for this index"
    assert "must have length 2, but has length 1" in fields[0]["message"]


def test_no_vector(client: Any, filled: Address) -> None:
    """A query without a vector and without texts is refused."""
    with pytest.raises(ClientError, match="Must specify queryVector"):
        client.query_vectors(**filled, topK=1)


def test_malformed_filter(client: Any, filled: Address) -> None:
    """A filter that breaks the grammar, or names a non-filterable key, is refused in the service's words."""
    for bad in ({}, {"color": "red", "n": 1}, {"n": {"$gt": "1"}}, {"color": {"$eg": "red"}}):
        message, fields = _refused(client, filled, filter=bad)
        assert message == "Invalid filter"
        assert fields == [{"path": "filter", "message": "Invalid filter"}]
    message, fields = _refused(client, filled, filter={"text": "t1"})
    assert message == "Invalid use of non-filterable metadata in filter"
    assert fields == [{"path": "filter", "message": message}]


def test_mode(client: Any, filled: Address) -> None:
    """ENHANCED may be asked of an ENHANCED index, CLASSIC not."""
    found = _query(client, filled, queryMode="ENHANCED", filter={"color": {"$startsWith": "bl"}})["vectors"]
    assert [each["key"] for each in found] == ["k1", "k3", "k5"]
    _refused(client, filled, queryMode="CLASSIC")
    assert "enum value set: [CLASSIC, ENHANCED]" in _refused(client, filled, queryMode="OTHER")[0]


@pytest.fixture
def many(client: Any, index: Address) -> Address:
    """Give the index with 250 vectors."""
    vectors = [
        {"key": f"k{number:03}", "data": {"float32": [number, 0]}, "metadata": {"n": number}} for number in range(250)
    ]
    client.put_vectors(**index, vectors=vectors)
    return index


def test_pages(client: Any, many: Address) -> None:
    """A long answer comes in pages of 100; together they are the answer."""
    paginator = client.get_paginator("query_vectors")
    pages = list(paginator.paginate(**many, topK=230, queryVector={"float32": [0, 0]}, returnMetadata=True))
    assert [len(page["vectors"]) for page in pages] == [100, 100, 30]
    assert [each["metadata"]["n"] for page in pages for each in page["vectors"]] == list(range(230))


@pytest.mark.parametrize("top_k", [100, 200])
def test_full_last_page(client: Any, many: Address, top_k: int) -> None:
    """No token follows a last page that is full."""
    pages = client.get_paginator("query_vectors").paginate(**many, topK=top_k, queryVector={"float32": [0, 0]})
    assert [len(page["vectors"]) for page in pages] == [100] * (top_k // 100)


def test_pages_show_the_first_calls_snapshot(client: Any, many: Address) -> None:
    """What is written or deleted between two pages does not show; a token may be used again."""
    arguments: dict[str, Any] = {"topK": 250, "returnMetadata": True}
    first = _query(client, many, **arguments)
    client.delete_vectors(**many, keys=["k100", "k150"])
    new = {"key": "k101", "data": {"float32": [0, 0]}, "metadata": {"n": -1}}
    client.put_vectors(**many, vectors=[new])
    for _ in range(2):
        second = _query(client, many, **arguments, nextToken=first["nextToken"])
        assert [each["metadata"]["n"] for each in second["vectors"]] == list(range(100, 200))
    assert [each["key"] for each in _query(client, many)["vectors"]] == ["k000", "k101", "k001"]


def test_query_token_is_bound(client: Any, many: Address) -> None:
    """A token is good with the same vector, topK, filter, mode and parts only."""
    token = _query(client, many, topK=200)["nextToken"]
    for change in (
        {"topK": 201},
        {"queryVector": {"float32": [0, 1]}},
        {"filter": {"n": {"$gte": 0}}},
        {"queryMode": "ENHANCED"},
        {"returnDistance": True},
        {"nextToken": token[:-4] + "AAAA"},
        {"nextToken": "made-up"},
    ):
        message, fields = _refused(client, many, **{"topK": 200, "nextToken": token} | change)
        assert "nextToken is invalid" in message
        assert fields[0]["path"] == "nextToken"
    assert len(_query(client, many, topK=200, nextToken=token)["vectors"]) == 100
