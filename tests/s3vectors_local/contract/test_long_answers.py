"""Answers of many pages: up to 10,000 hits of one query, and lists whose pages end at a megabyte."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

Address = dict[str, str]
MOST = 10_000


@pytest.fixture
def many(client: Any, index: Address) -> Address:
    """Give the index with 10,100 vectors along a line, k0 next to the origin."""
    for start in range(0, MOST + 100, 500):
        vectors = [
            {"key": f"k{number}", "data": {"float32": [number, 0]}, "metadata": {"n": number}}
            for number in range(start, min(start + 500, MOST + 100))
        ]
        client.put_vectors(**index, vectors=vectors)
    return index


def test_ten_thousand_hits(client: Any, many: Address) -> None:
    """100 pages of 100 show, nearest first and each once, what the first call saw; whatever is written meanwhile."""
    arguments = many | {"topK": MOST, "queryVector": {"float32": [0, 0]}, "returnMetadata": True}
    found, pages, token = [], 0, None
    while True:
        page = client.query_vectors(**arguments, **({} if token is None else {"nextToken": token}))
        assert len(page["vectors"]) == 100
        found += [each["metadata"]["n"] for each in page["vectors"]]
        pages += 1
        token = page.get("nextToken")
        if token is None:
            break
        if pages == 1:
            client.delete_vectors(**many, keys=[f"k{number}" for number in range(100, 600)])
            client.put_vectors(**many, vectors=[{"key": "k700", "data": {"float32": [0, 0]}, "metadata": {"n": -1}}])
    assert pages == 100
    assert found == list(range(MOST))
    assert len(client.query_vectors(**arguments | {"topK": 100})["vectors"]) == 100


def test_pages_in_any_order(client: Any, many: Address) -> None:
    """A token may be used again, and is good beside those of another query."""
    near = many | {"topK": 300, "queryVector": {"float32": [0, 0]}}
    far = many | {"topK": 300, "queryVector": {"float32": [2 * MOST, 0]}}
    first, other = client.query_vectors(**near), client.query_vectors(**far)
    pages = [client.query_vectors(**near, nextToken=first["nextToken"]) for _ in range(2)]
    assert [each["key"] for each in pages[0]["vectors"]] == [f"k{number}" for number in range(100, 200)]
    assert pages[0]["vectors"] == pages[1]["vectors"]
    assert client.query_vectors(**far, nextToken=other["nextToken"])["vectors"][0]["key"] == "k9999"
    with pytest.raises(ClientError, match="nextToken is invalid"):
        client.query_vectors(**far, nextToken=first["nextToken"])


def test_tokens_die_with_the_index(client: Any, many: Address) -> None:
    """The results of a deleted index are not shown, nor those of an older one of its name."""
    arguments = many | {"topK": 200, "queryVector": {"float32": [0, 0]}}
    token = client.query_vectors(**arguments)["nextToken"]
    client.delete_index(**many)
    with pytest.raises(client.exceptions.NotFoundException):
        client.query_vectors(**arguments, nextToken=token)
    client.create_index(**many, dataType="float32", dimension=2, distanceMetric="euclidean")
    with pytest.raises(ClientError, match="nextToken is invalid"):
        client.query_vectors(**arguments, nextToken=token)


def test_list_pages_end_at_a_megabyte(client: Any, index: Address) -> None:
    """A page that would carry more than about 1 MB is shorter than asked for, and goes on."""
    text = "x" * 40_000
    vectors = [{"key": f"k{number}", "data": {"float32": [1, 2]}, "metadata": {"text": text}} for number in range(60)]
    client.put_vectors(**index, vectors=vectors)
    pages = list(client.get_paginator("list_vectors").paginate(**index, maxResults=1000, returnMetadata=True))
    assert [len(page["vectors"]) for page in pages] == [25, 25, 10]
    assert [each["key"] for page in pages for each in page["vectors"]] == [f"k{number}" for number in range(60)]
    assert len(client.list_vectors(**index, maxResults=1000)["vectors"]) == 60


def test_list_pages_of_large_vectors(client: Any, bucket: str) -> None:
    """Components count as the 4 bytes they are."""
    index = {"vectorBucketName": bucket, "indexName": "large"}
    client.create_index(**index, dataType="float32", dimension=4096, distanceMetric="euclidean")
    vectors = [{"key": f"k{number}", "data": {"float32": [number] * 4096}} for number in range(70)]
    client.put_vectors(**index, vectors=vectors)
    page = client.list_vectors(**index, returnData=True)
    assert len(page["vectors"]) == 62
    rest = client.list_vectors(**index, returnData=True, nextToken=page["nextToken"])
    assert [each["data"]["float32"][0] for each in rest["vectors"]] == list(range(62, 70))
    assert "nextToken" not in rest
