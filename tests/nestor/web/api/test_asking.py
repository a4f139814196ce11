"""POST /query and POST /compare."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from nestor.web.limits import Limits

Uploading = Callable[..., dict[str, Any]]
Telling = Callable[[Any, int], str]

SWIFT = "They sleep in the air."
TEXTS = {"swallow.txt": b"One swallow does not make a summer.", "swift.txt": SWIFT.encode()}


@pytest.fixture
def birds(upload: Uploading) -> dict[str, Any]:
    """Return the job that stored two texts."""
    return upload(TEXTS, collection="birds")


@pytest.mark.usefixtures("birds")
@pytest.mark.parametrize("dimension", [256, 384, 1024, 3072])
def test_words_find_the_segment(client: TestClient, dimension: int) -> None:
    """The nearest segment comes first, at each size, with all that the answer promises."""
    answer = client.post("/query", json={"query": SWIFT, "dimension": dimension, "top_k": 1})
    assert answer.status_code == 200
    document = answer.json()
    assert set(document) == {"query", "dimension", "strategy", "hits", "candidates", "spent", "took_ms"}
    (hit,) = document["hits"]
    assert hit["metadata"]["file_name"] == "swift.txt"
    assert hit["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert document["dimension"] == dimension


@pytest.mark.usefixtures("birds")
def test_a_body_of_curl_is_understood(client: TestClient) -> None:
    """`curl -d` calls a JSON body a form; it is read as JSON all the same."""
    answer = client.post(
        "/query",
        content=json.dumps({"query": SWIFT, "k": 1}),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert [hit["metadata"]["file_name"] for hit in answer.json()["hits"]] == ["swift.txt"]


@pytest.mark.usefixtures("birds")
def test_a_file_asks(client: TestClient) -> None:
    """The file's content is the question; the fields beside it are the members of the document."""
    fields = {"dimension": "384", "top_k": "1", "filter": '{"collection": "birds"}', "include_embedding": "true"}
    answer = client.post("/query", files={"file": ("asks.txt", SWIFT.encode())}, data=fields)
    document = answer.json()
    assert (answer.status_code, document["query"], document["dimension"]) == (200, "asks.txt", 384)
    (hit,) = document["hits"]
    assert hit["metadata"]["file_name"] == "swift.txt"
    assert len(hit["embedding"]) == 384


@pytest.mark.usefixtures("birds")
def test_collection_and_filter_hold_together(client: TestClient) -> None:
    """Only what matches both is found."""
    asked = {"query": SWIFT, "collection": "birds", "filter": {"file_name": {"$eq": "swallow.txt"}}}
    assert [hit["metadata"]["file_name"] for hit in client.post("/query", json=asked).json()["hits"]] == ["swallow.txt"]
    assert client.post("/query", json={"query": SWIFT, "collection": "others"}).json()["hits"] == []


@pytest.mark.usefixtures("birds")
def test_compare_measures_each_way_against_the_exact_one(client: TestClient) -> None:
    """An entry for each size and strategy; the exact one agrees with itself."""
    asked = {"query": SWIFT, "top_k": 2, "dimensions": [256, 3072], "strategies": ["direct", "hierarchical"]}
    document = client.post("/compare", json=asked).json()
    assert document["reference"] == {"strategy": "direct", "dimension": 3072}
    ways = [(entry["strategy"], entry["dimension"], entry["vector_bytes"]) for entry in document["entries"]]
    assert ways == [(name, size, 4 * size) for name in ("direct", "hierarchical") for size in (256, 3072)]
    # Two segments are stored and two are asked for: every way finds both.
    assert [entry["agreement"] for entry in document["entries"]] == [1.0] * 4
    assert all(entry["spent"]["requests"] >= 1 and entry["took_ms"]["total"] > 0 for entry in document["entries"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "no JSON"),
        (b"[1]", "JSON object"),
        (b'{"query": "x", "size": 1}', "'size' is unknown"),
        (b'{"query": "x", "top_k": 101}', "top_k is 101"),
        (b'{"query": "x", "dimension": 512}', "512"),
        (b'{"query": "x", "dimension": true}', "whole number"),
        (b'{"query": "x", "top_k": 1, "k": 2}', "the same"),
        (b'{"query": "x", "strategy": "guess"}', "guess"),
        (b'{"query": 7}', "a text"),
        (b'{"query": "  "}', "empty"),
        (b'{"query": "' + b"x" * 50_001 + b'"}', "50,000"),
        (b'{"query": "x", "filter": {"a": ' + b'{"$and": [' * 300 + b"]}" * 300 + b"}}", ""),
    ],
    ids=["nothing", "list", "unknown", "many", "size", "boolean", "twice", "strategy", "type", "empty", "long", "deep"],
)
@pytest.mark.usefixtures("birds")
def test_bad_questions_are_refused(client: TestClient, error_of: Telling, body: bytes, told: str) -> None:
    """400 in words that name the member, and never a 500."""
    answer = client.post("/query", content=body)
    assert error_of(answer, 400) == "InvalidInput"
    assert told in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "asked",
    [{"dimensions": []}, {"dimensions": [7]}, {"dimensions": 256}, {"strategies": ["x"]}, {"dimension": 256}],
    ids=str,
)
@pytest.mark.usefixtures("birds")
def test_bad_comparisons_are_refused(client: TestClient, error_of: Telling, asked: dict[str, Any]) -> None:
    """400 for what is no list of sizes or strategies, and for what only /query knows."""
    assert error_of(client.post("/compare", json={"query": SWIFT, **asked}), 400) == "InvalidInput"


def test_an_empty_home_says_what_to_do(client: TestClient, error_of: Telling) -> None:
    """Nothing was ingested: an error that says so, and no empty answer."""
    answer = client.post("/query", json={"query": "anything"})
    assert error_of(answer, 400) == "InvalidInput"
    assert "nestor ingest" in answer.json()["error"]["message"]


def test_what_is_too_large_is_refused(application: Callable[..., TestClient], error_of: Telling) -> None:
    """413 for a body and for a file, told in advance or not; the bound is the one that the page tells."""
    client = application(Limits(body_bytes=100, question_bytes=1000))
    assert error_of(client.post("/query", json={"query": "x" * 200}), 413) == "TooLarge"
    unannounced = client.post("/query", content=iter([b'{"query": "', b"x" * 200, b'"}']))
    assert error_of(unannounced, 413) == "TooLarge"
    answer = client.post("/query", files={"file": ("a.txt", b"x" * 2000)})
    assert error_of(answer, 413) == "TooLarge"
    assert "(1,000 bytes)" in answer.json()["error"]["message"]


@pytest.mark.usefixtures("birds")
def test_a_file_that_cannot_be_read_is_told_of_by_its_name(client: TestClient, error_of: Telling) -> None:
    """422, and nothing of where this machine kept it."""
    answer = client.post("/query", files={"file": ("../../broken.pdf", b"%PDF-1.4 nothing more")})
    assert error_of(answer, 422) == "UnreadableFile"
    message = answer.json()["error"]["message"]
    assert "Cannot read broken.pdf" in message
    assert "/tmp" not in message


def test_a_compressed_body_is_refused(client: TestClient, error_of: Telling) -> None:
    """415: what it would grow to is not known."""
    answer = client.post("/query", content=b"x", headers={"content-encoding": "gzip"})
    assert error_of(answer, 415) == "UnsupportedMediaType"
