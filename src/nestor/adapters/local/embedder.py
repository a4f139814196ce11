"""The embedder that needs no network: meaning, then words, nested in 3072 components."""

import math
from collections.abc import Sequence
from threading import Lock

import numpy as np

from nestor.adapters.local.graph import HIDDEN
from nestor.adapters.local.lexical import COARSE, FINE, Lexicon
from nestor.adapters.local.minilm import MiniLM
from nestor.adapters.local.pixels import SIZE, features
from nestor.adapters.local.tables import shipped
from nestor.domain import FULL_DIMENSION, Embedding, Segment
from nestor.errors import InvalidInput

VERSION = "nestor-local-1"

_COARSE_WEIGHT, _FINE_WEIGHT = 0.775, 0.95
"""Length of each block of words beside a semantic block of length one; their squares weigh the similarities."""
_PICTURE = slice(256 - SIZE, 256)
"""Where a picture is put: where text says least, of what all four sizes hold."""
_PICTURE_STORED, _PICTURE_ASKED = 0.5, 0.9
"""Share of the semantic block's length that a picture takes from its text, where there are both."""


class LocalEmbedder:
    """Implements nestor.ports.Embedder in this process, with one thread unless told otherwise.

    Components 1-384 are the rotated MiniLM embedding of the text, with what the picture looks like mixed in; 385-1024
    and 1025-3072 are its words. Loads on first use; raises MissingExtra when the weights are not installed.
    """

    def __init__(self, *, threads: int = 1, model: MiniLM | None = None) -> None:
        self._threads = threads
        self._lock = Lock()
        self._loaded = model
        self._tables = shipped()
        self._lexicon = Lexicon(self._tables)

    @property
    def id(self) -> str:
        """Name, version and digest of the tables: a change of any of them is another space."""
        return f"{VERSION}-{self._tables.digest}"

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return one unit row a segment, shape (n, 3072). Raises EmbeddingFailed when a picture is unreadable."""
        words = [self._lexicon.document(segment.text) for segment in segments]
        return _joined(self._meaning(segments, _PICTURE_STORED), words)

    def embed_text_query(self, text: str) -> Embedding:
        """Return the unit embedding of a question, shape (3072,). Raises InvalidInput when there is no text."""
        if not text.strip():
            raise InvalidInput("The question is empty: give some text to search for.")
        row: Embedding = _joined(self._semantic([text]), [self._lexicon.question(text)])[0]
        return row

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return the unit embedding, shape (3072,), of a file that asks: the middle of its segments."""
        if not segments:
            raise InvalidInput("There is nothing to search with: the file gave no segments.")
        words = [self._words_asked(segment) for segment in segments]
        rows = _joined(self._meaning(segments, _PICTURE_ASKED), words)
        middle: Embedding = _unit(rows.mean(axis=0, keepdims=True))[0]
        return middle

    def _words_asked(self, segment: Segment) -> tuple[Embedding, Embedding]:
        coarse, fine = self._lexicon.question(segment.text)
        weight = 1.0 if segment.image is None else _rest(_PICTURE_ASKED)
        return coarse * weight, fine * weight

    def _meaning(self, segments: Sequence[Segment], share: float) -> Embedding:
        rows = self._semantic([segment.text for segment in segments])
        for index, segment in enumerate(segments):
            if segment.image is not None and (picture := features(segment.image)).any():
                taken = share if segment.text.strip() else 1.0
                rows[index] *= _rest(taken)
                rows[index, _PICTURE] += taken * picture
        return rows

    def _semantic(self, texts: Sequence[str]) -> Embedding:
        if not texts:
            return np.empty((0, HIDDEN), dtype=np.float32)
        rotated: Embedding = self._model().embed(texts) @ self._tables.rotation
        return rotated

    def _model(self) -> MiniLM:
        with self._lock:
            if self._loaded is None:
                self._loaded = MiniLM(threads=self._threads)
            return self._loaded


def _rest(share: float) -> float:
    """Return what length is left beside a part of that length for the whole to have length one."""
    return math.sqrt(1 - share**2)


def _joined(meaning: Embedding, words: Sequence[tuple[Embedding, Embedding]]) -> Embedding:
    rows = np.empty((len(words), FULL_DIMENSION), dtype=np.float32)
    rows[:, :HIDDEN] = _unit(meaning)
    for row, (coarse, fine) in zip(rows, words, strict=True):
        row[HIDDEN : HIDDEN + COARSE] = _COARSE_WEIGHT * coarse
        row[HIDDEN + COARSE : HIDDEN + COARSE + FINE] = _FINE_WEIGHT * fine
    return _unit(rows)


def _unit(rows: Embedding) -> Embedding:
    unit: Embedding = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
