"""The fast wire beside equality: refusals, threads, retries, other handlers."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ParamValidationError

from nestor.adapters.s3vectors.wire import Floats, client_config, encode, install
from nestor.errors import InvalidEmbedding

ROW = np.ones(4, dtype=np.float32)
GOOD: dict[str, Any] = {"indexArn": "arn", "topK": 1, "queryVector": {"float32": ROW}}
VECTOR: dict[str, Any] = {"key": "a", "data": {"float32": ROW}}


@pytest.fixture(scope="module")
def shared(connect: Callable[..., Any]) -> Any:
    """One client with the fast wire for the module."""
    sent = connect()
    install(sent.client)
    return sent


@pytest.fixture
def sent(shared: Any) -> Any:
    """Return the same, nothing sent yet."""
    shared.requests.clear()
    return shared


WRONG_QUERIES: dict[str, dict[str, Any]] = {
    "no topK": {"indexArn": "arn", "queryVector": {"float32": ROW}},
    "topK is text": GOOD | {"topK": "1"},
    "topK is 0": GOOD | {"topK": 0},
    "unknown member": GOOD | {"k": 1},
    "filter holds a set": GOOD | {"filter": {"a": {1}}},
    "bare row": GOOD | {"queryVector": ROW},
    "nothing in the union": GOOD | {"queryVector": {}},
    "two in the union": GOOD | {"queryVector": {"float32": ROW, "float64": ROW}},
    "text": GOOD | {"queryVector": {"float32": "1, 2"}},
    "list of text": GOOD | {"queryVector": {"float32": ["1", "2"]}},
    "list with None": GOOD | {"queryVector": {"float32": [1.0, None]}},
    "nested list": GOOD | {"queryVector": {"float32": [[1.0]]}},
    "matrix": GOOD | {"queryVector": {"float32": np.ones((2, 2))}},
    "no dimension": GOOD | {"queryVector": {"float32": np.float32(1)}},
    "array of text": GOOD | {"queryVector": {"float32": np.array(["1"])}},
    "complex": GOOD | {"queryVector": {"float32": np.array([1j])}},
}
WRONG_PUTS: dict[str, Any] = {
    "none": [],
    "no list": VECTOR,
    "no key": [VECTOR, {"data": {"float32": ROW}}],
    "key is a number": [VECTOR | {"key": 1}],
    "key is empty": [VECTOR | {"key": ""}],
    "no data": [{"key": "a"}],
    "data is a row": [{"key": "a", "data": ROW}],
    "no dict": [VECTOR, 1],
    "metadata holds bytes": [VECTOR | {"metadata": {"a": b"b"}}],
    "unknown member": [VECTOR | {"meta": {}}],
}


@pytest.mark.parametrize("params", WRONG_QUERIES.values(), ids=WRONG_QUERIES)
def test_a_wrong_query_is_refused_by_botocore_before_it_is_sent(sent: Any, params: dict[str, Any]) -> None:
    """All checks but those of single numbers are still botocore's."""
    with pytest.raises(ParamValidationError):
        sent.client.query_vectors(**params)
    assert not sent.requests


@pytest.mark.parametrize("vectors", WRONG_PUTS.values(), ids=WRONG_PUTS)
def test_a_wrong_put_is_refused_by_botocore_before_it_is_sent(sent: Any, vectors: Any) -> None:
    """As above, for each row."""
    with pytest.raises(ParamValidationError):
        sent.client.put_vectors(indexArn="arn", vectors=vectors)
    assert not sent.requests


BAD_NUMBERS = {
    "nan": np.array([1, np.nan], dtype=np.float32),
    "infinity": [1.0, float("-inf")],
    "too large for float32": [1e39],
    "too large for float64": [10**400],
    "float64 too large for float32": np.array([3.5e38]),
}


@pytest.mark.parametrize("row", BAD_NUMBERS.values(), ids=BAD_NUMBERS)
def test_numbers_that_json_cannot_carry_are_refused(sent: Any, row: Any) -> None:
    """NaN, infinities and what becomes infinite raise InvalidEmbedding, which names the key in a put."""
    with pytest.raises(InvalidEmbedding, match="query vector"):
        sent.client.query_vectors(**GOOD | {"queryVector": {"float32": row}})
    with pytest.raises(InvalidEmbedding, match="key 'b'"):
        sent.client.put_vectors(indexArn="arn", vectors=[VECTOR, {"key": "b", "data": {"float32": row}}])
    with pytest.raises(InvalidEmbedding):
        encode(row)
    assert not sent.requests


def test_encode_refuses_what_is_no_row() -> None:
    """A matrix is not a vector."""
    with pytest.raises(InvalidEmbedding, match="one row"):
        encode(np.ones((2, 2)))


def test_vectors_written_before_are_sent_as_they_are(sent: Any) -> None:
    """Floats go where a row goes."""
    sent.client.query_vectors(**GOOD | {"queryVector": {"float32": Floats(b"[0.25]")}})
    assert sent.bodies[-1]["queryVector"] == {"float32": [0.25]}


def test_text_that_looks_like_a_stand_in_is_left_alone(sent: Any) -> None:
    """Numbers in a document are never taken for a place where a vector goes."""
    metadata = {"a": [2**127 + 1, 0], "b": f"[{2**127}, 0]"}
    sent.client.put_vectors(indexArn="arn", vectors=[VECTOR | {"metadata": metadata}])
    assert sent.bodies[-1]["vectors"][0]["metadata"] == metadata


def test_one_client_serves_many_threads(sent: Any) -> None:
    """Eight threads, interleaved: every body holds its own vector and its own metadata."""

    def put_and_query(number: int) -> None:
        row = np.full(256, number, dtype=np.float32)
        sent.client.query_vectors(indexArn="arn", topK=number, queryVector={"float32": row})
        vectors = [{"key": str(n), "data": {"float32": row + n}, "metadata": {"n": number}} for n in range(3)]
        sent.client.put_vectors(indexArn="arn", vectors=vectors)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put_and_query, range(1, 201)))
    assert len(sent.bodies) == 400
    for body in sent.bodies:
        if "topK" in body:
            assert set(body["queryVector"]["float32"]) == {body["topK"]}
        for number, vector in enumerate(body.get("vectors", [])):
            assert set(vector["data"]["float32"]) == {vector["metadata"]["n"] + number}
            assert vector["key"] == str(number)


def test_a_retry_sends_the_same_body_again(connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore's retries know nothing of the wire."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    answers = iter([(503, {"__type": "ServiceUnavailableException"}), (429, {}), (200, {"vectors": []})])
    sent = connect(lambda _: next(answers), retries=3)
    install(sent.client)
    sent.client.query_vectors(**GOOD)
    assert len({request.body for request in sent.requests}) == 1
    assert len(sent.requests) == 3


@pytest.mark.parametrize("first", [True, False], ids=["before install", "after install"])
def test_the_order_of_handlers_does_not_matter(connect: Callable[..., Any], *, first: bool) -> None:
    """Another handler sees the caller's row and may change the request; the final body is seen before the call."""
    sent = connect()
    rows: list[Any] = []
    bodies: list[Any] = []

    def other(params: dict[str, Any], **_: Any) -> None:
        rows.append(params["queryVector"]["float32"])
        params["topK"] = 7

    def last(params: dict[str, Any], **_: Any) -> None:
        bodies.append(json.loads(params["body"])["queryVector"]["float32"])

    def register() -> None:
        sent.client.meta.events.register("before-parameter-build.s3vectors.QueryVectors", other)
        sent.client.meta.events.register("before-call.s3vectors.QueryVectors", last)

    for step in (register, lambda: install(sent.client))[:: 1 if first else -1]:
        step()
    sent.client.query_vectors(**GOOD)
    assert rows[0] is ROW
    assert bodies == [ROW.tolist()]
    assert sent.bodies[-1]["topK"] == 7


def test_installing_twice_changes_nothing(connect: Callable[..., Any]) -> None:
    """The second time is without effect."""
    sent = connect()
    install(sent.client)
    install(sent.client)
    sent.client.query_vectors(**GOOD)
    assert sent.bodies[-1]["queryVector"]["float32"] == ROW.tolist()


def test_a_client_without_validation_writes_the_same(connect: Callable[..., Any], sent: Any) -> None:
    """`parameter_validation=False` takes nothing from the wire."""
    loose = connect(parameter_validation=False)
    install(loose.client)
    for side in (loose, sent):
        side.client.query_vectors(**GOOD)
    assert loose.requests[-1].body == sent.requests[-1].body


def test_a_presigned_url_is_left_to_botocore(sent: Any) -> None:
    """There is no body to fill in."""
    params = {"indexArn": "arn", "topK": 1, "queryVector": {"float32": [1.0]}}
    assert "X-Amz-Signature" in sent.client.generate_presigned_url("query_vectors", Params=params)


def test_the_configuration_gives_up_in_time() -> None:
    """Standard retries, finite timeouts, the pool as asked."""
    config = client_config(max_pool_connections=3)
    assert config.max_pool_connections == 3
    assert config.retries == {"mode": "standard", "total_max_attempts": 4}
    assert config.connect_timeout + config.read_timeout < 70


def test_the_service_learns_who_is_calling(connect: Callable[..., Any]) -> None:
    """Name and version, and botocore's beside them."""
    sent = connect(user_agent=client_config().user_agent)
    sent.client.list_vector_buckets()
    assert re.fullmatch(
        rb"nestor/[\d.]+\S* Botocore/[\d.]+( PT/\S+ PTEnv/\S+)?", sent.requests[-1].headers["User-Agent"]
    )
