"""The two functions that ask the indexes: caches, strategies, shadow queries and what is counted, over real parts."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor import functions
from nestor.adapters.nova import EMBEDDER_ID
from nestor.domain import Embedding
from nestor.errors import VectorsUnavailable
from nestor.functions import questions
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.settings import Settings
from nestor.settings.functions import QuerySettings
from nestor.shadow import shadowed
from nestor.wiring import Nestor

pytest.importorskip("aws_lambda_powertools", reason="aws-lambda-powertools is not installed")

from nestor.handlers import _runtime, query_handler, shadow_query
from nestor.handlers._questions import EMITTED

ROWS = nest(np.random.default_rng(1).standard_normal((30, 3072)).astype(np.float32), [256, 3072])


class Embedder:
    """Gives every question the embedding of row 7, and counts."""

    id = "one-1"

    def __init__(self) -> None:
        """Begin at nothing."""
        self.asked = 0

    def embed_text_query(self, text: str) -> Embedding:
        """Return it."""
        self.asked += 1
        row: Embedding = ROWS[3072][7]
        return row


class Queue:
    """An SQS client that keeps bodies, or fails."""

    def __init__(self) -> None:
        """Begin empty."""
        self.bodies: list[str] = []
        self.fail = False

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803  # boto3's names
        """Keep."""
        if self.fail:
            raise ConnectionError
        assert QueueUrl == "https://queue"
        self.bodies.append(MessageBody)


@pytest.fixture
def embedder() -> Embedder:
    """Return the embedder."""
    return Embedder()


@pytest.fixture
def queue() -> Queue:
    """Return the queue."""
    return Queue()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedder: Embedder, queue: Queue) -> Iterator[Any]:
    """Return the indexes; the clients of the functions lead to them, to the embedder and to the queue."""
    monkeypatch.setenv("VECTOR_BUCKET", "nestor")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "query_handler")
    with Nestor(Settings(home=tmp_path)) as nestor:
        nestor.store.prepare([256, 3072], embedder="one-1")
        for size, prefixes in ROWS.items():
            nestor.store.put(size, [VectorRow(f"k{n}", row, {"page": n}) for n, row in enumerate(prefixes)])
        _runtime.forget_clients()
        for function in ("query_handler", "shadow_query"):
            made = _runtime._clients(function)._made
            made |= {"nestor": nestor.store, "embedder": embedder, "sqs": queue}
        yield nestor.store
        _runtime.forget_clients()


def metrics(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the documents of metrics that were printed; each is held to the published list."""
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    for document in found:
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        sets = {frozenset(names) for names in directive["Dimensions"]}
        for metric in directive["Metrics"]:
            if not metric["Name"].startswith("Status"):
                assert sets <= EMITTED[metric["Name"]] | {frozenset({"strategy", "dimension"})}, metric
    return found


def test_counted(store: Any, embedder: Embedder, capsys: pytest.CaptureFixture[str]) -> None:
    """An answer is counted for the function and for its strategy at its size; a repeated question is embedded once."""
    question = {"query": "words", "dimension": 256, "k": 3}
    _, answer = (query_handler.handler(question, None) for _ in range(2))
    first, second = metrics(capsys)
    assert answer["hits"][0]["key"] == "k7"
    (directive,) = first["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["function", "service"], ["strategy", "dimension"]]
    assert (first["service"], first["strategy"], first["dimension"]) == ("query_handler", "direct", "256")
    assert (first["Hits"], first["Requests"], first["QuestionCacheMisses"]) == ([3.0], [1.0], [1.0])
    assert (second["QuestionCacheHits"], embedder.asked) == ([1.0], 1)
    assert {"EmbedLatency", "VectorsLatency", "TotalLatency", "ReturnedBytes"} <= first.keys()


@pytest.mark.parametrize("stalled", ["S3VECTORS", "BEDROCK_RUNTIME"])
def test_a_service_that_stalls(
    store: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stalled: str
) -> None:
    """One that takes a question and never answers is told of, and counted, before the function's time is over."""
    made = _runtime._clients("query_handler")._made
    made.pop("nestor" if stalled == "S3VECTORS" else "embedder")
    monkeypatch.setattr(questions, "READ_SECONDS", 0.1)
    for name, value in {
        "DEFAULT_REGION": "us-east-1",
        "ACCESS_KEY_ID": "AKIDEXAMPLE",
        "SECRET_ACCESS_KEY": "none",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    if stalled == "BEDROCK_RUNTIME":
        monkeypatch.setattr(store, "embedder", lambda _: EMBEDDER_ID)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{stalled}", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        answer = query_handler.handler({"query": "words", "dimension": 256}, None)
    assert time.monotonic() - started < 10
    assert answer["error"]["code"] == ("VectorsFailed" if stalled == "S3VECTORS" else "EmbedderFailed")
    assert metrics(capsys)[0]["Errors"] == [1.0]


def test_strategies(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable says which is the usual one; a question may name another, but not one that is not set up."""
    monkeypatch.setenv("NESTOR_STRATEGY", "refetch")
    assert query_handler.handler({"query": "w"}, None)["strategy"] == "refetch"
    assert query_handler.handler({"query": "w", "strategy": "direct"}, None)["strategy"] == "direct"
    error = query_handler.handler({"query": "w", "strategy": "manual"}, None)["error"]
    assert error["code"] == "InvalidInput"
    assert "NESTOR_PLACEHOLDER" in error["message"]


def test_answers_for_some_seconds(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where answers are kept, a written row is seen by another question only; by default at once."""
    question = {"query": "w", "dimension": 256, "k": 1}
    monkeypatch.setenv("NESTOR_RESULT_CACHE_SECONDS", "3600")
    first = query_handler.handler(question, None)["hits"]
    store.delete(256, ["k7"])
    assert query_handler.handler(question, None)["hits"] == first
    assert query_handler.handler(question | {"k": 2}, None)["hits"][0]["key"] != "k7"
    monkeypatch.delenv("NESTOR_RESULT_CACHE_SECONDS")
    assert query_handler.handler(question, None)["hits"][0]["key"] != "k7"


def test_shadow(store: Any, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A sampled question goes to the queue without its words; the other function tells the recall."""
    monkeypatch.setenv("NESTOR_SHADOW_RATE", "1")
    monkeypatch.setenv("NESTOR_SHADOW_URL", "https://queue")
    answer = query_handler.handler({"query": "unmistakable", "dimension": 256}, None)
    (told,) = metrics(capsys)
    assert told["ShadowsSent"] == [1.0]
    (body,) = queue.bodies
    assert "unmistakable" not in body
    assert (shadowed(body).embedding == ROWS[3072][7]).all()
    exact = {f"k{n}" for n in np.argsort(-(ROWS[3072] @ ROWS[3072][7]))[:10]}
    recall = len(exact & {hit["key"] for hit in answer["hits"]}) / 10

    records = [{"messageId": "good", "body": body}, {"messageId": "bad", "body": "{}"}]
    assert shadow_query.handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    alone, whole = metrics(capsys)
    (directive,) = alone["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["strategy", "dimension"]]
    assert (alone["ShadowRecall"], alone["strategy"], alone["dimension"]) == ([recall], "direct", "256")
    assert (whole["ShadowQueries"], whole["ShadowErrors"], whole["Errors"]) == ([1.0], [1.0], [1.0])


def test_a_queue_that_fails(
    store: Any, queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is there, the failure counted."""
    monkeypatch.setenv("NESTOR_SHADOW_RATE", "1")
    monkeypatch.setenv("NESTOR_SHADOW_URL", "https://queue")
    queue.fail = True
    assert query_handler.handler({"query": "w", "dimension": 256}, None)["hits"]
    (told,) = metrics(capsys)
    assert told["ShadowsFailed"] == [1.0]


def test_throttled(store: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Too much at once is counted as such, and as an error, for the strategy too."""

    def busy(*_: Any, **__: Any) -> Any:
        raise VectorsUnavailable("busy", code="TooManyRequestsException")

    monkeypatch.setattr(store, "rank", busy)
    assert query_handler.handler({"query": "w", "dimension": 256}, None)["error"]["code"] == "Throttled"
    (told,) = metrics(capsys)
    assert (told["Throttles"], told["Errors"], told["strategy"]) == ([1.0], [1.0], "direct")


def test_nothing_is_sent_at_rate_0(store: Any, queue: Queue) -> None:
    """Without a rate there is no queue."""
    settings = QuerySettings.from_environment({"VECTOR_BUCKET": "nestor"})
    assert functions.shadows(settings, functions.Clients(), metrics=None) is None  # type: ignore[arg-type]
