"""The contract of the port, over the engine in this process and by HTTP."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from nestor.adapters.s3vectors import S3Vectors
from nestor.errors import EmbedderMismatch, InvalidEmbedding, InvalidInput, VectorsError
from nestor.ports import VectorRow, Vectors

ME = "local:minilm-1"
PLACE = {"vectorBucketName": "nestor-test", "indexName": "embeddings-4d"}
INDEX: dict[str, Any] = PLACE | {
    "dataType": "float32",
    "dimension": 4,
    "distanceMetric": "cosine",
    "metadataConfiguration": {"nonFilterableMetadataKeys": ["source_uri", "text", "code"]},
}
ONE = VectorRow("a", np.array([1, 0, 0, 0], dtype=np.float32), {"page": 1})


@pytest.fixture
def ready(vectors: S3Vectors) -> S3Vectors:
    """Return the adapter with an index of 4 components."""
    vectors.prepare([4], embedder=ME)
    return vectors


def test_it_is_a_port(vectors: S3Vectors) -> None:
    """For the type checker too."""
    port: Vectors = vectors
    assert port.embedder(4) is None


def test_prepare_makes_what_is_missing_and_is_idempotent(vectors: S3Vectors, client: Any) -> None:
    """Bucket, indexes, metric, non-filterable keys, embedder."""
    for _ in range(2):
        vectors.prepare([4, 8], embedder=ME)
    index = client.get_index(vectorBucketName="nestor-test", indexName="embeddings-8d")["index"]
    assert (index["dimension"], index["distanceMetric"], index["dataType"]) == (8, "cosine", "float32")
    assert sorted(index["metadataConfiguration"]["nonFilterableMetadataKeys"]) == ["code", "source_uri", "text"]
    assert [vectors.embedder(dimension) for dimension in (4, 8, 16)] == [ME, ME, None]


def test_eight_at_once_prepare_the_same(client: Any) -> None:
    """Who comes second finds what the first one made."""

    def prepare(_: int) -> None:
        S3Vectors(client, bucket="nestor-test", sleep=lambda _: None).prepare([4, 8, 16], embedder=ME)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(prepare, range(8)))
    assert S3Vectors(client, bucket="nestor-test").embedder(16) == ME


def test_another_embedder_is_refused_by_name(ready: S3Vectors) -> None:
    """Both are named, and the index keeps its own."""
    with pytest.raises(EmbedderMismatch, match=r"'local:minilm-1'.*'nova:1'"):
        ready.prepare([4], embedder="nova:1")
    assert ready.embedder(4) == ME


def test_an_empty_index_without_a_tag_adopts_the_embedder(vectors: S3Vectors, client: Any) -> None:
    """It may come from a template."""
    client.create_vector_bucket(vectorBucketName="nestor-test")
    client.create_index(**INDEX)
    assert vectors.embedder(4) == ""
    vectors.prepare([4], embedder=ME)
    assert vectors.embedder(4) == ME


def test_a_filled_index_without_a_tag_is_refused(vectors: S3Vectors, client: Any) -> None:
    """Nobody knows what is in it; the sentence says how to mend it, and doing so mends it."""
    client.create_vector_bucket(vectorBucketName="nestor-test")
    arn = client.create_index(**INDEX)["indexArn"]
    vectors.put(4, [ONE])
    with pytest.raises(EmbedderMismatch, match=r"aws s3vectors tag-resource --resource-arn arn:.*=local:minilm-1"):
        vectors.prepare([4], embedder=ME)
    client.tag_resource(resourceArn=arn, tags={"nestor:embedder": ME})
    vectors.prepare([4], embedder=ME)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dimension": 5}, "holds 5 float32 components by cosine"),
        ({"distanceMetric": "euclidean"}, "by euclidean"),
        ({"metadataConfiguration": {"nonFilterableMetadataKeys": ["text"]}}, "source_uri, code non-filterable"),
    ],
    ids=["dimension", "metric", "non-filterable keys"],
)
def test_an_index_of_another_shape_is_refused(
    vectors: S3Vectors, client: Any, change: dict[str, Any], words: str
) -> None:
    """It cannot be changed, so the sentence says what to do."""
    client.create_vector_bucket(vectorBucketName="nestor-test")
    client.create_index(**INDEX | change)
    with pytest.raises(VectorsError, match=f"{words}.*delete it"):
        vectors.prepare([4], embedder=ME)


@pytest.mark.parametrize("embedder", ["", "a b", "x" * 257, "a\n"], ids=["empty", "space", "long", "line"])
def test_an_embedder_id_must_fit_a_tag(vectors: S3Vectors, embedder: str) -> None:
    """Nothing is made when it does not."""
    with pytest.raises(InvalidInput, match="embedder id"):
        vectors.prepare([4], embedder=embedder)
    assert vectors.embedder(4) is None


def test_what_is_put_is_found(ready: S3Vectors) -> None:
    """Nearest first, with distance and metadata as stored."""
    metadata: dict[str, Any] = {
        "page": 3,
        "file_name": "größe 漢 🙂.pdf",
        "tags": ["a", ""],
        "seconds": 0.5,
        "text": "x" * 30_000,
        "b": True,
    }
    ready.put(4, [ONE, VectorRow("b", np.array([1, 1, 0, 0], dtype=np.float32), metadata)])
    hits = ready.query(4, np.array([0, 2, 0, 0], dtype=np.float32), top_k=10)
    assert [hit.key for hit in hits] == ["b", "a"]
    assert hits[0].metadata == metadata
    assert hits[0].similarity == pytest.approx(0.5**0.5, abs=1e-5)
    assert hits[1].distance == pytest.approx(1, abs=1e-5)


def test_a_filter_is_passed_on(ready: S3Vectors) -> None:
    """And an empty one is none."""
    ready.put(4, [ONE, VectorRow("b", ONE.embedding, {"page": 2})])
    assert [hit.key for hit in ready.query(4, ONE.embedding, top_k=5, where={"page": 2})] == ["b"]
    assert ready.query(4, ONE.embedding, top_k=5, where={"page": 9}) == []
    assert len(ready.query(4, ONE.embedding, top_k=5, where={})) == 2


def test_an_equal_key_replaces(ready: S3Vectors) -> None:
    """Across calls and inside one, where the last row stays."""
    ready.put(4, [ONE])
    ready.put(4, [VectorRow("a", ONE.embedding, {"page": 2}), VectorRow("a", -ONE.embedding, {"page": 3})])
    (hit,) = ready.query(4, ONE.embedding, top_k=5)
    assert hit.metadata == {"page": 3}
    assert hit.distance == pytest.approx(2, abs=1e-5)


def test_deleted_keys_are_gone_and_absent_ones_ignored(ready: S3Vectors) -> None:
    """More than one request takes, too."""
    ready.put(4, [VectorRow(str(number), ONE.embedding, {}) for number in range(1_100)])
    ready.delete(4, [*(str(number) for number in range(1, 1_100)), "absent"])
    assert list(ready.keys(4)) == ["0"]
    ready.delete(4, [])
    ready.delete(4, ["0", "absent", "0"])  # the service refuses a request that names a key twice
    assert list(ready.keys(4)) == []


def test_a_query_reads_every_page(ready: S3Vectors, unit_rows: Callable[..., Any]) -> None:
    """250 of 300 in three pages, in the order of exact distances."""
    rows = unit_rows(300, 4)
    ready.put(4, [VectorRow(str(number), row, {"number": number}) for number, row in enumerate(rows)])
    hits = ready.query(4, rows[7], top_k=250)
    distances = 1 - rows @ rows[7]
    assert len({hit.key for hit in hits}) == 250
    assert [hit.distance for hit in hits] == pytest.approx(sorted(distances)[:250], abs=1e-5)
    assert all(hit.distance == pytest.approx(distances[int(hit.key)], abs=1e-5) for hit in hits)
    assert len(ready.query(4, rows[7], top_k=10_000)) == 300


def test_1200_rows_of_the_largest_size_arrive(vectors: S3Vectors, unit_rows: Callable[..., Any]) -> None:
    """Every key is listed, and a row is found by itself."""
    vectors.prepare([3072], embedder=ME)
    rows = unit_rows(1_200, 3072)
    vectors.put(
        3072, [VectorRow(f"k{number}", row, {"n": number, "code": "A" * 4_100}) for number, row in enumerate(rows)]
    )
    assert sorted(vectors.keys(3072)) == sorted(f"k{number}" for number in range(1_200))
    (hit,) = vectors.query(3072, rows[777], top_k=1)
    assert hit.key == "k777"
    assert hit.distance == pytest.approx(0, abs=1e-5)


def test_nothing_is_stored_when_one_row_is_refused(ready: S3Vectors) -> None:
    """The sentence names the key."""
    refused: list[dict[str, Any]] = [{"file_name": "x" * 2_048}, {"text": "x" * 41_000}, {"tags": []}]
    for metadata in refused:
        with pytest.raises(InvalidInput, match="metadata of key 'b'"):
            ready.put(4, [ONE, VectorRow("b", ONE.embedding, metadata)])
    with pytest.raises(InvalidEmbedding, match="key 'b'"):
        ready.put(4, [ONE, VectorRow("b", ONE.embedding[:3], {})])
    assert list(ready.keys(4)) == []


def test_a_wrong_question_is_refused(ready: S3Vectors) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidEmbedding, match="of the query"):
        ready.query(4, np.zeros(4, dtype=np.float32), top_k=1)
    for top_k in (0, 10_001):
        with pytest.raises(InvalidInput, match="10,000"):
            ready.query(4, ONE.embedding, top_k=top_k)


def test_a_missing_index_is_an_error_that_says_what_to_do(vectors: S3Vectors) -> None:
    """Never an empty result."""
    attempts: list[Callable[[], Any]] = [
        lambda: vectors.query(4, ONE.embedding, top_k=1),
        lambda: list(vectors.keys(4)),
        lambda: vectors.delete(4, ["a"]),
        lambda: vectors.put(4, [ONE]),
    ]
    for attempt in attempts:
        with pytest.raises(VectorsError, match="nestor ingest") as caught:
            attempt()
        assert caught.value.code == "NotFoundException"


def test_threads_share_one_adapter(ready: S3Vectors, unit_rows: Callable[..., Any]) -> None:
    """Each finds at once what it has put."""
    rows = unit_rows(64, 4)

    def put_and_find(number: int) -> str:
        ready.put(4, [VectorRow(str(number), rows[number], {"number": number})])
        (hit,) = ready.query(4, rows[number], top_k=1, where={"number": number})
        return hit.key

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(put_and_find, range(64))) == [str(number) for number in range(64)]
