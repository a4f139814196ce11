"""What is not there is left out of an answer; botocore's parser would hide a null."""

from typing import Any

import pytest

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.model import NewTextKey
from s3vectors_local.operations import vectors
from s3vectors_local.operations.shapes import Members

ASK = {"vectorBucketName": "demo", "indexName": "flat", "returnDistance": True, "returnScores": True}
TEXTS = [{"text": "word", "metadataKey": "text"}]


@pytest.fixture
def filled(engine: Engine, vector: Any) -> Engine:
    """Give the engine with `far`, which holds the word, and `near`, which does not."""
    engine.add_text_keys("demo", "flat", [NewTextKey("text")])
    engine.put_vectors("demo", "flat", [vector("far", 9, 9, text="word"), vector("near", 0, 0)])
    return engine


def _hits(engine: Engine, **more: Any) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = vectors.query_vectors(engine, Members(ASK | more))["vectors"]
    return hits


def test_text_alone(filled: Engine) -> None:
    """Neither a distance nor a fused score."""
    (hit,) = _hits(filled, topK=5, queryTexts=TEXTS)
    assert set(hit) == {"key", "scores"}
    assert set(hit["scores"]) == {"bm25Scores"}


def test_hybrid(filled: Engine) -> None:
    """All scores, and no BM25 score of what holds no word."""
    far, near = _hits(filled, topK=5, queryTexts=TEXTS, queryVector={"float32": [0, 0]})
    assert far["scores"]["vectorDistance"] == far["distance"] == 162
    assert far["scores"]["fused"] == pytest.approx(1 / 61 + 1 / 62)
    assert near["scores"] == {"bm25Scores": [], "fused": 1 / 61, "vectorDistance": 0}


def test_found_by_text_only(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not among the nearest has no distance."""
    monkeypatch.setattr(limits, "FUSION_DEPTH", 1)
    (hit,) = _hits(filled, topK=1, queryTexts=TEXTS, queryVector={"float32": [0, 0]})
    assert hit["key"] == "far"
    assert set(hit) == {"key", "scores"}
    assert set(hit["scores"]) == {"bm25Scores", "fused"}


def test_fusion_looks_deeper_than_the_answer(filled: Engine) -> None:
    """One result is asked for, and its rank in both lists counts all the same."""
    (hit,) = _hits(filled, topK=1, queryTexts=TEXTS, queryVector={"float32": [0, 0]})
    assert hit["scores"]["fused"] == pytest.approx(1 / 61 + 1 / 62)
