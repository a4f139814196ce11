"""POST /query of this application and of the function in AWS: one document, one error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

pytest.importorskip("aws_lambda_powertools", reason="aws-lambda-powertools is not installed")

from nestor import functions
from nestor.handlers import query_handler
from nestor.wiring import Nestor

EVENT = Path(__file__).parents[3] / "events" / "query.json"
SWIFT = "They sleep in the air."


@pytest.fixture
def function(nestor: Nestor, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[int, dict[str, Any]]]:
    """Return the function's handler over the same home: its status and document for a body."""
    monkeypatch.setattr(functions, "answers", lambda *_, **__: nestor.answers)
    monkeypatch.setenv("VECTOR_BUCKET", "bucket")

    def ask(body: str) -> tuple[int, dict[str, Any]]:
        event = json.loads(EVENT.read_text()) | {"body": body}
        answer = query_handler.handler(event, None)
        return answer["statusCode"], json.loads(answer["body"])

    return ask


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs from one question to the next: times and ids."""
    if "error" in document:
        return {**document["error"], "id": ""}
    return {**document, "took_ms": sorted(document["took_ms"])}


@pytest.mark.parametrize(
    "asked",
    [
        {"query": SWIFT},
        {"query": SWIFT, "dimension": 256, "k": 1},
        {"query": SWIFT, "strategy": "hierarchical", "candidates": 5, "coarse": 384},
        {"query": SWIFT, "strategy": "refetch", "top_k": 2},
        {"query": SWIFT, "collection": "birds", "filter": {"file_name": "swift.txt"}, "include_embedding": True},
        {"query": SWIFT, "collection": "none"},
        {"query": ""},
        {"query": SWIFT, "top_k": 0},
        {"query": SWIFT, "size": 3},
        {"query": SWIFT, "strategy": "manual"},
        {"query": SWIFT, "filter": {"file_name": {"$like": "x"}}},
        [],
    ],
    ids=lambda asked: json.dumps(asked)[24:60],
)
def test_both_give_the_same_document(
    client: TestClient, upload: Callable[..., dict[str, Any]], function: Any, asked: Any
) -> None:
    """Equal hits, figures and words, to the last member; equal statuses and errors."""
    upload({"swallow.txt": b"One swallow does not make a summer.", "swift.txt": SWIFT.encode()}, collection="birds")
    body = json.dumps(asked)
    client.post("/query", content=body)  # `refetch` keeps what it read: both find it there
    answer = client.post("/query", content=body)
    status, document = function(body)
    assert answer.status_code == status
    assert _comparable(answer.json()) == _comparable(document)
