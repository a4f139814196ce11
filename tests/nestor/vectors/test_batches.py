"""Rows to requests: both limits obeyed, the order kept, nothing lost."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nestor.adapters.s3vectors.batches import _vector, batches, check_embedding, chunks, last_of_each_key
from nestor.adapters.s3vectors.wire import install
from nestor.errors import InvalidEmbedding
from nestor.ports import VectorRow

TEXT = st.text(max_size=40) | st.sampled_from(["é" * 30, "漢" * 30, "🙂" * 30, '"\\\n' * 10])
ROWS = st.lists(
    st.builds(
        VectorRow,
        key=st.text(min_size=1, max_size=20),
        embedding=st.integers(0, 60).map(lambda n: np.linspace(0.1, 0.9, n, dtype=np.float32)),
        metadata=st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT), max_size=4),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def sent(connect: Callable[..., Any]) -> Any:
    """Return a client with the fast wire that keeps its requests."""
    sent = connect()
    install(sent.client)
    return sent


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, most=st.integers(1, 7), room=st.integers(1_500, 9_000))
def test_requests_obey_both_limits_and_lose_nothing(sent: Any, rows: list[VectorRow], most: int, room: int) -> None:
    """The body as botocore writes it, non-ASCII text included, is never larger than the room."""
    sent.requests.clear()
    for vectors in batches(rows, most=most, room=room):
        sent.client.put_vectors(vectorBucketName="b" * 63, indexName="i" * 63, vectors=vectors)
    stored = [vector for body in sent.bodies for vector in body["vectors"]]
    assert [vector["key"] for vector in stored] == [row.key for row in rows]
    assert [vector["metadata"] for vector in stored] == [row.metadata for row in rows]
    assert [np.float32(v["data"]["float32"]).tolist() for v in stored] == [row.embedding.tolist() for row in rows]
    for request, body in zip(sent.requests, sent.bodies, strict=True):
        assert 1 <= len(body["vectors"]) <= most
        assert len(request.body) <= room or len(body["vectors"]) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, most=st.integers(1, 7), room=st.integers(1_500, 9_000))
def test_no_request_could_have_taken_the_next_row(rows: list[VectorRow], most: int, room: int) -> None:
    """As few requests as the limits allow for rows in this order."""
    sizes = iter([_vector(row)[1] for row in rows])
    made = [list(itertools.islice(sizes, len(batch))) for batch in batches(rows, most=most, room=room)]
    for one, following in itertools.pairwise(made):
        assert len(one) == most or 1_024 + sum(one) + following[0] > room


def test_a_full_put_of_the_largest_size_is_split_by_bytes(sent: Any, unit_rows: Callable[..., Any]) -> None:
    """500 rows of 3,072 with full metadata exceed 20 MiB: two requests, each below."""
    sent.requests.clear()
    rows = [
        VectorRow(f"k{number}", row, {"text": "x" * 30_000, "code": "A" * 4_100})
        for number, row in enumerate(unit_rows(500, 3072))
    ]
    for vectors in batches(rows):
        sent.client.put_vectors(indexArn="arn", vectors=vectors)
    assert len(sent.requests) == 2
    assert max(len(request.body) for request in sent.requests) <= 20_971_520
    assert len(sent.requests[0].body) > 20_000_000


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_of_equal_keys_the_last_row_stays(rows: list[tuple[str, int]]) -> None:
    """One row a key, and it is what putting one by one would have left."""
    embedding = np.ones(1, dtype=np.float32)
    kept = last_of_each_key(VectorRow(key, embedding, {"n": number}) for key, number in rows)
    assert {row.key: row.metadata["n"] for row in kept} == dict(rows)
    assert len(kept) == len(dict(rows))


@settings(deadline=None)
@given(count=st.integers(0, 1_700))
def test_keys_go_in_lists_of_at_most_500(count: int) -> None:
    """Each key once, in order."""
    keys = [str(number) for number in range(count)]
    lists = list(chunks(keys + keys[:10]))
    assert [key for some in lists for key in some] == keys
    assert all(1 <= len(some) <= 500 for some in lists)


@pytest.mark.parametrize(
    ("embedding", "words"),
    [
        (np.ones(3, dtype=np.float32), "shape"),
        (np.ones((1, 4), dtype=np.float32), "shape"),
        (np.array([1, np.nan, 0, 0], dtype=np.float32), "NaN"),
        (np.zeros(4, dtype=np.float32), "all zero"),
    ],
    ids=["short", "matrix", "nan", "zero"],
)
def test_an_embedding_that_cannot_be_compared_is_refused(embedding: Any, words: str) -> None:
    """With the name of whose it is."""
    with pytest.raises(InvalidEmbedding, match=f"of key 'a'.*{words}"):
        check_embedding(embedding, dimension=4, name="of key 'a'")
