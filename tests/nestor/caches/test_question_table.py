"""Embeddings of questions in DynamoDB: moto's, through real boto3."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nestor.adapters.question_table import QuestionTable, client_config
from nestor.caches import CachedEmbedder
from nestor.domain import Embedding, Segment
from nestor.errors import QuestionsUnavailable

moto = pytest.importorskip("moto", reason="the dependency group `system` is not installed")
KEY = b"k" * 32
ROW = np.random.default_rng(0).standard_normal(3072).astype(np.float32)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of an account with the table."""
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        made = boto3.client("dynamodb", region_name="us-east-1", config=client_config())
        made.create_table(
            TableName="questions",
            KeySchema=[{"AttributeName": "question", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "question", "AttributeType": "B"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield made


def test_kept_for_some_days(client: Any) -> None:
    """It comes back bit-equal until it expires, though the table may keep it for longer."""
    now = 1_000.0
    table = QuestionTable(client, table="questions", days=2, clock=lambda: now)
    assert table.get(KEY) is None
    table.put(KEY, ROW)
    kept = table.get(KEY)
    assert kept is not None
    assert kept.tobytes() == ROW.tobytes()
    (item,) = client.scan(TableName="questions")["Items"]
    assert item["expires"] == {"N": str(1_000 + 2 * 86_400)}
    now += 2 * 86_400
    assert table.get(KEY) is None


def test_of_another_size(client: Any) -> None:
    """What is no embedding of ours is none."""
    table = QuestionTable(client, table="questions", days=1)
    table.put(KEY, ROW[:256])
    assert table.get(KEY) is None


class Fresh:
    """Embeds, and counts it."""

    id = "fresh-1"

    def __init__(self) -> None:
        """Begin at nothing."""
        self.asked = 0

    def embed_text_query(self, text: str) -> Embedding:
        """Return the row."""
        self.asked += 1
        return ROW

    def embed_segments_query(self, segments: Any) -> Embedding:
        """Return the row."""
        return ROW

    def embed_segments(self, segments: "Any | Segment") -> Embedding:
        """Return the row."""
        return ROW[None]


def test_a_failing_table_fails_no_question(client: Any) -> None:
    """A table that is not there is told twice, at look-up and at keeping; the embedder answers."""
    told: list[tuple[str, str]] = []
    table = QuestionTable(client, table="gone", days=1)
    with pytest.raises(QuestionsUnavailable, match="get_item of the table gone"):
        table.get(KEY)
    embedder = Fresh()
    cached = CachedEmbedder(
        embedder, store=table, told=lambda result, error: told.append((result, type(error).__name__))
    )
    assert cached.embed_text_query("words") is ROW
    assert embedder.asked == 1
    assert told == [("failed", "QuestionsUnavailable"), ("failed", "QuestionsUnavailable"), ("embedder", "NoneType")]


def test_another_copy_of_the_function_finds_it(client: Any) -> None:
    """What one process embedded the next reads from the table; the words are not in it."""
    table = QuestionTable(client, table="questions", days=1)
    told: list[str] = []
    embedder = Fresh()
    for _ in range(2):
        CachedEmbedder(embedder, store=table, told=lambda result, _: told.append(result)).embed_text_query("secret")
    assert (told, embedder.asked) == (["embedder", "store"], 1)
    assert "secret" not in repr(client.scan(TableName="questions"))
