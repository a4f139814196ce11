"""An embedder that tells how far it is."""

from collections.abc import Callable, Sequence

import numpy as np

from nestor.domain import Embedding, Segment
from nestor.errors import SegmentsRefused
from nestor.ports import Embedder

SLICE = 32
"""Segments that are embedded between two words on how far it is."""


class Stopped(Exception):
    """The work was given up in the middle; doing it again completes it."""


class Telling:
    """Embeds in slices; calls `tell(done, total)` before each and after the last. What that raises ends the work."""

    def __init__(self, embedder: Embedder, tell: Callable[[int, int], None]) -> None:
        """Embed by this one."""
        self._embedder = embedder
        self._tell = tell

    @property
    def id(self) -> str:
        """The embedder's own."""
        return self._embedder.id

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return what the embedder gives for all of them. Raises EmbeddingFailed; SegmentsRefused is of all."""
        rows: list[Embedding] = []
        reasons: dict[int, str] = {}
        for start in range(0, len(segments), SLICE):
            self._tell(start, len(segments))
            try:
                rows.append(self._embedder.embed_segments(segments[start : start + SLICE]))
            except SegmentsRefused as error:
                rows.append(error.embeddings)
                reasons |= {start + position: reason for position, reason in error.reasons.items()}
        self._tell(len(segments), len(segments))
        embeddings = np.concatenate(rows)
        if reasons:
            raise SegmentsRefused(f"{len(reasons)} segments were refused.", reasons=reasons, embeddings=embeddings)
        return embeddings

    def embed_text_query(self, text: str) -> Embedding:
        """Return what the embedder gives."""
        return self._embedder.embed_text_query(text)

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return what the embedder gives."""
        return self._embedder.embed_segments_query(segments)
