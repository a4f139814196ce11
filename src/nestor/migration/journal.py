"""What a migration found and did, in an SQLite file, so that the next run goes on where this one stopped.

It may be lost: a run without it reads everything again, and changes nothing that is stored already.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nestor.errors import HomeUnusable
from nestor.migration.placeholder import FLAT, Place

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    asset TEXT, segment INTEGER, dimension INTEGER, path TEXT NOT NULL, PRIMARY KEY (asset, segment, dimension)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS found (
    asset TEXT PRIMARY KEY, uri TEXT NOT NULL, version TEXT NOT NULL, stamp TEXT NOT NULL, embedder TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS found_by_uri ON found (uri);
CREATE TABLE IF NOT EXISTS winner (uri TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS done (
    uri TEXT PRIMARY KEY, content_hash TEXT NOT NULL, signature TEXT NOT NULL, derived INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stored (
    key TEXT PRIMARY KEY, uri TEXT NOT NULL, asset TEXT NOT NULL, segment INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stored_by_uri ON stored (uri);
CREATE TABLE IF NOT EXISTS note (
    uri TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, message TEXT NOT NULL,
    objects INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS note_by_uri ON note (uri);
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of the placeholder."""

    place: Place
    path: str


@dataclass(frozen=True, slots=True)
class Asset:
    """What is to be moved together: the objects of one address."""

    uri: str
    objects: tuple[Listed, ...]
    signature: str
    """Which objects these are, short."""
    content_hash: str
    """As an earlier run stored it whole; empty when none did, or something was quarantined."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know of an asset."""

    uri: str
    kind: str
    """quarantined, trimmed or differs."""
    name: str
    """The reason, or the name in the metadata."""
    path: str
    """Of the object, the first of several."""
    message: str
    objects: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """Where a stored row came from."""

    key: str
    asset: str
    segment: int


def folder_of(home: Path, source: str, target: str, *, dry_run: bool = False) -> Path:
    """Return where what belongs to one migration is kept; that of a dry run is emptied of an earlier one's journal."""
    name = hashlib.blake2b(f"{source}\n{target}".encode(), digest_size=6).hexdigest()
    folder = home / "migration" / (f"{name}-dry-run" if dry_run else name)
    if dry_run:
        for path in folder.glob("journal.sqlite*"):
            path.unlink(missing_ok=True)
    return folder


class Journal:
    """One migration. Not for several threads. Every method may raise HomeUnusable."""

    def __init__(self, path: Path) -> None:
        """Open or create the file."""
        self._path = path
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")  # what a loss of power takes is done again
            self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def list_anew(self, listed: Iterable[Listed]) -> int:
        """Keep these objects in place of what was listed before; return how many name the place of another one.

        Of two objects of one place the one of the flat layout counts, which came later.
        """
        with self._changing() as database:
            database.execute("DELETE FROM object")
            statement = "INSERT OR {} INTO object VALUES (?, ?, ?, ?)"
            count = 0
            for count, each in enumerate(listed, start=1):  # noqa: B007 - counted here, used below
                place = each.place
                rule = "REPLACE" if place.layout == FLAT else "IGNORE"
                database.execute(statement.format(rule), (place.asset, place.segment, place.dimension, each.path))
            # What was a guess because nothing could be read, or is gone, is looked at again.
            database.execute("DELETE FROM found WHERE version = '' OR asset NOT IN (SELECT asset FROM object)")
        ((kept,),) = self._read("SELECT count(*) FROM object")
        return count - int(kept)

    def unknown(self) -> list[str]:
        """Return the assets of the placeholder whose address is not known yet."""
        rows = self._read("SELECT DISTINCT asset FROM object WHERE asset NOT IN (SELECT asset FROM found) ORDER BY 1")
        return [asset for (asset,) in rows]

    def objects_of(self, asset: str, *, segment: int | None = None) -> list[Listed]:
        """Return the objects of an asset of the placeholder, or of one segment of it, small sizes first."""
        one, values = ("", (asset,)) if segment is None else (" AND segment = ?", (asset, segment))
        rows = self._read(f"SELECT * FROM object WHERE asset = ?{one} ORDER BY segment, dimension", *values)  # noqa: S608 - ours
        return [_listed(row) for row in rows]

    def know(self, found: Sequence[tuple[str, str, str, str, str]]) -> None:
        """Keep asset, address, version (empty for a guess), moment and embedder (empty where untold) of each."""
        with self._changing() as database:
            database.executemany("INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?, ?)", found)

    def choose(self) -> tuple[int, int]:
        """Take the latest version at each address; return how many addresses there are, and objects of older ones."""
        with self._changing() as database:
            database.execute("DELETE FROM winner")
            database.execute(
                "INSERT OR REPLACE INTO winner "  # the last one inserted stays
                "SELECT uri, version FROM found GROUP BY uri, version ORDER BY uri, max(stamp), version"
            )
            for table in ("done", "stored", "note"):  # of what the placeholder holds no longer
                database.execute(f"DELETE FROM {table} WHERE uri NOT IN (SELECT uri FROM winner)")  # noqa: S608 - ours
        ((assets,),) = self._read("SELECT count(*) FROM winner")
        ((older,),) = self._read(
            "SELECT count(*) FROM object JOIN found USING (asset) JOIN winner USING (uri) "
            "WHERE found.version <> winner.version"
        )
        return int(assets), int(older)

    def embedders(self) -> tuple[str, ...]:
        """Return the embedders that the assets name, and an empty text where some name none."""
        rows = self._read("SELECT DISTINCT embedder FROM found WHERE version > '' ORDER BY embedder")
        return tuple(name for (name,) in rows)

    def assets(self) -> Iterator[Asset]:
        """Yield what is to be moved, by address, with its objects; read the journal's other parts meanwhile freely."""
        statement = (
            "SELECT asset, segment, dimension, path FROM winner JOIN found USING (uri, version) JOIN object USING "
            "(asset) WHERE uri = ? ORDER BY asset, segment, dimension"
        )
        uri = ""
        while rows := self._read("SELECT * FROM winner WHERE uri > ? ORDER BY uri LIMIT 1000", uri):
            for uri, version in rows:
                objects = tuple(_listed(row) for row in self._read(statement, uri))
                signature = f"{len(objects)} objects of {version}"
                done = self._read("SELECT content_hash FROM done WHERE uri = ? AND signature = ?", uri, signature)
                yield Asset(uri, objects, signature, done[0][0] if done else "")

    def record(
        self, asset: Asset, *, content_hash: str, derived: int, sources: Sequence[Source], notes: Sequence[Note]
    ) -> None:
        """Keep what became of an asset, in place of what was kept of it before."""
        # What was quarantined may be mended at any time: such an asset is read again by the next run.
        signature = "" if any(note.kind == "quarantined" for note in notes) else asset.signature
        with self._changing() as database:
            for table in ("done", "stored", "note"):
                database.execute(f"DELETE FROM {table} WHERE uri = ?", (asset.uri,))  # noqa: S608 - a name of ours
            values = (asset.uri, content_hash, signature, derived)
            database.execute("INSERT INTO done VALUES (?, ?, ?, ?)", values)
            rows = [(each.key, asset.uri, each.asset, each.segment) for each in sources]
            database.executemany("INSERT OR REPLACE INTO stored VALUES (?, ?, ?, ?)", rows)
            database.executemany(
                "INSERT INTO note VALUES (?, ?, ?, ?, ?, ?)",
                [(each.uri, each.kind, each.name, each.path, each.message, each.objects) for each in notes],
            )

    def totals(self) -> tuple[int, int, int]:
        """Return how many assets and segments are stored, and how many rows were derived from a larger size."""
        ((assets, derived),) = self._read(
            "SELECT count(*), coalesce(sum(derived), 0) FROM done WHERE content_hash > ''"
        )
        ((segments,),) = self._read("SELECT count(*) FROM stored")
        return int(assets), int(segments), int(derived)

    def holds(self, key: str) -> bool:
        """Say whether this row was stored."""
        return bool(self._read("SELECT 1 FROM stored WHERE key = ?", key))

    def sources(self) -> Iterator[Source]:
        """Yield the stored rows, in the order of their keys."""
        key = ""
        while rows := self._read("SELECT key, asset, segment FROM stored WHERE key > ? ORDER BY key LIMIT 1000", key):
            yield from (Source(*row) for row in rows)
            key = rows[-1][0]

    def notes(self, kind: str) -> Iterator[Note]:
        """Yield the notes of that kind, by path; change nothing meanwhile."""
        with self._translated():
            for row in self._database.execute("SELECT * FROM note WHERE kind = ? ORDER BY path, name", (kind,)):
                yield Note(*row)

    def counted(self, kind: str) -> dict[str, int]:
        """Return how many objects the notes of that kind are about, by name."""
        rows = self._read("SELECT name, sum(objects) FROM note WHERE kind = ? GROUP BY name ORDER BY name", kind)
        return {name: int(objects) for name, objects in rows}

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._translated(), self._database:
            self._database.execute("BEGIN")
            yield self._database

    def _read(self, statement: str, *values: str | int) -> list[Any]:
        with self._translated():
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise HomeUnusable(
                f"Cannot use {self._path}: {error}. Is there space and permission? Without the file, nothing is lost "
                "but time: remove it and do the same again."
            ) from error


def _listed(row: tuple[str, int, int, str]) -> Listed:
    asset, segment, dimension, path = row
    return Listed(Place(asset, segment, dimension), path)
