"""What the model answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.adapters.nova.responses import embedding_of
from nestor.errors import EmbeddingFailed


def body(*entries: Any) -> bytes:
    """Return an answer with these entries."""
    return json.dumps({"embeddings": entries}).encode()


def test_recorded_answers_are_read(shared_data: Path) -> None:
    """Eight answers of the real service: the same numbers, of unit length, at both sizes."""
    sizes = []
    for path in sorted((shared_data / "nova-mme-samples" / "sync").glob("*.json")):
        answer = json.loads(path.read_text())["response"]["body"]
        numbers = answer["embeddings"][0]["embedding"]
        answered = embedding_of(json.dumps(answer).encode(), "TEXT", dimension=len(numbers))
        assert answered.embedding.dtype == np.float32
        assert np.linalg.norm(answered.embedding.astype(float)) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(answered.embedding, numbers, atol=1e-6)
        assert answered.truncated is None
        sizes.append(len(numbers))
    assert sorted(sizes) == [256, *[3072] * 7]


def test_an_embedding_is_chosen_by_its_type() -> None:
    """Not by its position."""
    answer = body({"embeddingType": "AUDIO", "embedding": [0, 1]}, {"embeddingType": "VIDEO", "embedding": [3, 4]})
    assert embedding_of(answer, "VIDEO", dimension=2).embedding.tolist() == pytest.approx([0.6, 0.8])


def test_a_cut_is_told() -> None:
    """With the number of characters that were read."""
    answer = body({"embeddingType": "TEXT", "embedding": [1, 0], "truncatedCharLength": 32})
    assert embedding_of(answer, dimension=2).truncated == 32


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"embeddings": [3]}',
        body(),
        body({"embeddingType": "TEXT"}),
        body({"embeddingType": "TEXT", "embedding": [1]}),
        body({"embeddingType": "TEXT", "embedding": [0, 0]}),
        body({"embeddingType": "TEXT", "embedding": ["a", "b"]}),
        body({"embeddingType": "TEXT", "embedding": [1, float("nan")]}),
        body({"embeddingType": "TEXT", "embedding": [1, 0]}, {"embeddingType": "IMAGE", "embedding": [1, 0]}),
    ],
)
def test_what_is_no_embedding_is_an_error(answer: bytes) -> None:
    """Never a row of zeros."""
    with pytest.raises(EmbeddingFailed):
        embedding_of(answer, dimension=2)
