"""A home in a temporary folder, and an embedder that is fast and exact."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from nestor.domain import FULL_DIMENSION, Embedding, Segment
from nestor.settings import Settings
from nestor.wiring import Nestor


class DigestEmbedder:
    """Equal text, equal embedding; any other text is nearly orthogonal. Stands in where meaning plays no part."""

    def __init__(self, name: str = "digest-1") -> None:
        """Answer under this id."""
        self.id = name

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return one unit row a segment."""
        return np.stack([self.embed_text_query(segment.text) for segment in segments])

    def embed_text_query(self, text: str) -> Embedding:
        """Return the unit vector drawn from the text's digest."""
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        row = np.random.default_rng(seed).normal(size=FULL_DIMENSION).astype(np.float32)
        unit: Embedding = row / np.linalg.norm(row)
        return unit

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return the embedding of the first segment's text."""
        return self.embed_text_query(segments[0].text)


@pytest.fixture
def digest_embedder() -> DigestEmbedder:
    """Return a fast exact embedder."""
    return DigestEmbedder()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings for an empty home."""
    return Settings(home=tmp_path / "home")


@pytest.fixture
def nestor(settings: Settings, digest_embedder: DigestEmbedder) -> Iterator[Nestor]:
    """Return everything wired over the real engine, real SQLite and real files."""
    with Nestor(settings, embedder=digest_embedder) as wired:
        yield wired
