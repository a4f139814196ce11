"""Nested embeddings in the real engine, and the exact answers to compare with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.adapters.s3vectors import S3Vectors, client_config
from nestor.domain import Embedding
from nestor.nesting import nest
from nestor.ports import VectorRow
from nestor.storing import with_codes
from nestor.strategies import Asked
from s3vectors_local import boto, open_engine

ROWS = 400
ME = "test-1"


@dataclass
class Shelf:
    """Rows in every index, and their full embeddings."""

    vectors: S3Vectors
    client: Any
    full: Embedding
    keys: list[str]

    def put(self, dimension: int, numbers: list[int], *, codes: bool = True) -> None:
        """Store these rows in the index of that size."""
        prefixes = nest(self.full[numbers], [dimension])[dimension]
        rows = [
            VectorRow(
                self.keys[number],
                prefix,
                {"segment_index": number, "modality": "text" if number % 4 else "image", "text": f"about word{number}"},
            )
            for number, prefix in zip(numbers, prefixes, strict=True)
        ]
        self.vectors.put(dimension, with_codes(rows, self.full[numbers]) if codes and dimension < 1024 else rows)

    def exact(self, asked: Asked, *, among: Callable[[int], bool] = lambda _: True) -> list[tuple[str, float]]:
        """Return the nearest keys and their similarities at the asked size, by float64 arithmetic."""
        rows = self.full[:, : asked.dimension].astype(np.float64)
        question = asked.embedding[: asked.dimension].astype(np.float64)
        similarity = rows @ question / np.linalg.norm(rows, axis=1) / np.linalg.norm(question)
        order = [int(number) for number in np.argsort(-similarity) if among(int(number))]
        return [(self.keys[number], float(similarity[number])) for number in order[: asked.top_k]]


def unit(rows: Any) -> Embedding:
    """Return rows of unit length."""
    scaled: Embedding = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


@pytest.fixture(scope="session")
def full() -> Embedding:
    """Rows whose energy falls with the component, as that of nested embeddings does."""
    fall = (1 + np.arange(3072) / 64) ** -0.4
    return unit(np.random.default_rng(3).standard_normal((ROWS, 3072)) * fall)


@pytest.fixture
def shelf(tmp_path: Path, full: Embedding) -> Iterator[Shelf]:
    """Return the rows in the indexes of 256 and 384, with codes, and of 3072."""
    with open_engine(tmp_path / "engine") as engine:
        client = boto.client(engine, config=client_config())
        vectors = S3Vectors(client, bucket="nestor-test")
        vectors.prepare([256, 384, 3072], embedder=ME)
        shelf = Shelf(vectors, client, full, [f"{number:03}_segment_0" for number in range(ROWS)])
        for dimension in (256, 384, 3072):
            shelf.put(dimension, list(range(ROWS)))
        yield shelf


@pytest.fixture
def question(full: Embedding) -> Callable[..., Asked]:
    """Return a function that makes a question near the n-th row."""

    def ask(number: int, **more: Any) -> Asked:
        noise = np.random.default_rng(number).standard_normal(3072) * 0.012
        return Asked(embedding=unit(full[number] + noise), words=f"word{number}", **more)

    return ask
