"""Folders written by older releases: opened, brought up to date in place, or left alone with a clear word."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from s3vectors_local.engine import open_engine
from s3vectors_local.errors import StoreError
from s3vectors_local.model import NewTextKey, Query, QueryText
from s3vectors_local.storage import schema
from s3vectors_local.storage.store import FILE_NAME

# What the release that wrote format 1 executed, and two vectors as it stored them.
FORMAT_1 = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    sse_type TEXT NOT NULL,
    kms_key_arn TEXT,
    default_mode TEXT NOT NULL,
    policy TEXT
);
CREATE TABLE indexes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket_id INTEGER NOT NULL REFERENCES buckets (id),
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    metric TEXT NOT NULL,
    non_filterable TEXT NOT NULL,
    sse_type TEXT NOT NULL,
    kms_key_arn TEXT,
    mode TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    rewritten INTEGER NOT NULL DEFAULT 0,
    count INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    UNIQUE (bucket_id, name)
);
CREATE TABLE tags (
    bucket_id INTEGER NOT NULL REFERENCES buckets (id),
    index_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (bucket_id, index_id, key)
) WITHOUT ROWID;
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    filterable BLOB,
    other BLOB,
    UNIQUE (index_id, key)
);
CREATE TABLE vectors (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
INSERT INTO settings VALUES ('token_secret', x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
INSERT INTO buckets (name, created, sse_type, default_mode) VALUES ('demo', 1, 'AES256', 'ENHANCED');
INSERT INTO indexes (bucket_id, name, created, dimension, metric, non_filterable, sse_type, mode, generation, count,
    last_sequence) VALUES (1, 'flat', 2, 2, 'euclidean', '["text"]', 'AES256', 'ENHANCED', 1, 2, 2);
INSERT INTO records VALUES (1 << 40 | 1, 1, 'one', CAST('{"n":1}' AS BLOB), CAST('{"text":"a red cat"}' AS BLOB));
INSERT INTO records VALUES (1 << 40 | 2, 1, 'two', NULL, CAST('{"text":"a blue dog"}' AS BLOB));
INSERT INTO vectors VALUES (1 << 40 | 1, x'0000803f00000040'), (1 << 40 | 2, x'0000004000000000');
PRAGMA application_id = 0x53335645;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Give a folder of format 1."""
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.executescript(FORMAT_1)
    connection.close()
    return tmp_path


def test_first_format_is_migrated(old: Path, vector: Any) -> None:
    """A writer converts it once: everything is there, sound, and can be made text-searchable."""
    with open_engine(old) as engine:
        assert engine.verify() == []
        found = engine.get_vectors("demo", "flat", ["one", "two"], data=True, metadata=True)
        assert [(each.key, each.metadata) for each in found] == [
            ("one", b'{"n":1,"text":"a red cat"}'),
            ("two", b'{"text":"a blue dog"}'),
        ]
        assert [each.data.tolist() for each in found if each.data is not None] == [[1, 2], [2, 0]]
        engine.add_text_keys("demo", "flat", [NewTextKey("text")])
        engine.put_vectors("demo", "flat", [vector("three", 0, 0, text="another dog")])
    for read_only in (True, False):
        with open_engine(old, read_only=read_only) as engine:
            page, _ = engine.query_vectors("demo", "flat", Query(None, 9, texts=(QueryText("text", "dog"),)))
            assert [hit.key for hit in page.items] == ["three", "two"]
            assert engine.verify() == []


def test_readers_do_not_migrate(old: Path) -> None:
    """A reader may not write, so it says what to do; the folder stays as it was."""
    with pytest.raises(StoreError, match="open it for writing once"):
        open_engine(old, read_only=True)
    assert _version(old) == 1


def test_migrating_is_all_or_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails leaves the old format, and the next one succeeds."""
    monkeypatch.setattr(schema, "_TEXT_TABLES", schema._TEXT_TABLES + "CREATE TABLE records (x);\n")
    with pytest.raises(StoreError, match="already exists"):
        open_engine(old)
    assert _version(old) == 1
    monkeypatch.undo()
    with open_engine(old) as engine:
        assert engine.verify() == []
    assert _version(old) == schema.FORMAT_VERSION


def test_the_same_tables_either_way(old: Path, folder: Path) -> None:
    """A migrated folder has the tables of a new one."""
    open_engine(old).close()
    assert _tables(old) == _tables(folder)


def _version(folder: Path) -> int:
    connection = sqlite3.connect(folder / FILE_NAME)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def _tables(folder: Path) -> dict[str, list[Any]]:
    connection = sqlite3.connect(folder / FILE_NAME)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    tables = {name: connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall() for name in names}
    connection.close()
    return tables
