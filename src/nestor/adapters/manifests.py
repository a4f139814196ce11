"""Manifests in an SQLite file."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from nestor.documents import manifest_of
from nestor.domain import Manifest
from nestor.errors import HomeUnusable


class SqliteManifests:
    """One row an asset. Durable on return: write-ahead log, synced at every commit. Threads may share it."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open or create the file at `path`, and the folders above it. Every method may raise HomeUnusable.

        Without `create` a file that is not there is as an empty one, and stays away until another process makes it.
        """
        self._path = path
        self._lock = threading.Lock()
        with self._translated():
            self._is_there = create or _exists(path)
            if self._is_there:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = _opened(path if self._is_there else ":memory:")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def get(self, object_id: str) -> Manifest | None:
        """Return the manifest of the asset, None when there is none."""
        rows = self._read("SELECT document FROM manifest WHERE object_id = ?", object_id)
        return manifest_of(orjson.loads(rows[0])) if rows else None

    def put(self, manifests: Sequence[Manifest]) -> None:
        """Store all of them or none."""
        rows = [(manifest.object_id, manifest.uri, orjson.dumps(manifest)) for manifest in manifests]
        self._write("INSERT OR REPLACE INTO manifest VALUES (?, ?, ?)", rows)

    def delete(self, object_ids: Sequence[str]) -> None:
        """Forget the assets."""
        self._write("DELETE FROM manifest WHERE object_id = ?", [(object_id,) for object_id in object_ids])

    def first(self) -> Manifest | None:
        """Return the first manifest by URI, None when there is none."""
        rows = self._read("SELECT document FROM manifest ORDER BY uri LIMIT 1")
        return manifest_of(orjson.loads(rows[0])) if rows else None

    def all(self) -> Iterator[Manifest]:
        """Yield every manifest, ordered by URI."""
        yield from (manifest_of(orjson.loads(row)) for row in self._read("SELECT document FROM manifest ORDER BY uri"))

    def _read(self, statement: str, *values: str) -> list[bytes]:
        with self._lock, self._translated():
            if not self._is_there and _exists(self._path):
                self._database.close()
                self._database, self._is_there = _opened(self._path), True
            return [document for (document,) in self._database.execute(statement, values)]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise HomeUnusable(
                f"Cannot use {self._path}: {error}. Is there space, permission, and is the file whole?"
            ) from error

    def _write(self, statement: str, rows: Sequence[tuple[str | bytes, ...]]) -> None:
        with self._lock, self._translated(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(statement, rows)


def _exists(path: Path) -> bool:
    # `Path.exists` also says no below what is no folder, where a home can never be.
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _opened(path: Path | str) -> sqlite3.Connection:
    # Two processes may write (an ingest and a delete): the second waits for the first, up to the timeout.
    database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS manifest "
        "(object_id TEXT PRIMARY KEY, uri TEXT NOT NULL UNIQUE, document BLOB NOT NULL) WITHOUT ROWID"
    )
    return database
