"""Embeddings of questions in a file of this machine."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from nestor.domain import FULL_DIMENSION, Embedding
from nestor.errors import HomeUnusable

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS question (digest BLOB PRIMARY KEY, embedding BLOB NOT NULL)"
_BYTES: Final = FULL_DIMENSION * np.dtype(np.float32).itemsize
_ROUNDING: Final = 1e-3
"""Of the length of an embedding, which is 1; what is farther from it is none."""


class QuestionFile:
    """Embeddings of questions in SQLite, by a digest: the words themselves are not kept. Raises HomeUnusable."""

    def __init__(self, path: Path, *, most: int = 10_000) -> None:
        """Use that file, opened and made when the first question comes; of more than that many, the oldest go."""
        self._path = path
        self._most = most
        self._lock = threading.Lock()

    def get(self, key: bytes) -> "Embedding | None":
        """Return the embedding, None when there is none."""
        with self._lock:
            rows = self._run("SELECT embedding FROM question WHERE digest = ?", key)
        if not rows or len(rows[0][0]) != _BYTES:
            return None
        embedding = np.frombuffer(rows[0][0], np.float32)
        return embedding if abs(float(np.linalg.norm(embedding)) - 1) < _ROUNDING else None

    def put(self, key: bytes, embedding: Embedding) -> None:
        """Keep it."""
        oldest = "DELETE FROM question WHERE rowid <= (SELECT max(rowid) FROM question) - ?"
        with self._lock:
            self._run("INSERT OR REPLACE INTO question VALUES (?, ?)", key, embedding.tobytes())
            self._run(oldest, self._most)

    def _run(self, statement: str, *values: bytes | int) -> list[tuple[bytes, ...]]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=5)) as database, database:
                database.execute(_SCHEMA)
                return database.execute(statement, values).fetchall()
        except (OSError, sqlite3.Error) as error:
            raise HomeUnusable(f"Cannot use {self._path}: {error}. It may be removed: it is a cache.") from error
