"""The tables, and the version of the format."""

import secrets
import sqlite3
from typing import Final

from s3vectors_local.errors import StoreError, StoreTooNew

FORMAT_VERSION: Final = 1
_APPLICATION_ID: Final = 0x53335645  # "S3VE" in the SQLite header: tells our files from other databases

_TABLES: Final = """
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

-- index_id is 0 for the tags of a bucket
CREATE TABLE tags (
    bucket_id INTEGER NOT NULL REFERENCES buckets (id),
    index_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (bucket_id, index_id, key)
) WITHOUT ROWID;

-- metadata is JSON text in two parts, NULL for an empty one
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    filterable BLOB,
    other BLOB,
    UNIQUE (index_id, key)
);

-- float32, little endian, apart from records, so that a scan of rows reads nothing else
CREATE TABLE vectors (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""


def is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether the database holds nothing yet."""
    count: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return count == 0


def create(connection: sqlite3.Connection) -> None:
    """Create the tables and stamp the format, in the caller's transaction."""
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO settings VALUES ('token_secret', ?)", (secrets.token_bytes(32),))
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def check(connection: sqlite3.Connection) -> None:
    """Raise StoreTooNew for a newer format, StoreError for a database that is not ours."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise StoreError("the file is a database of another program")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT_VERSION:
        raise StoreTooNew(
            f"the data has format {version}, this release knows up to {FORMAT_VERSION}: use the release that wrote it"
        )


def token_secret(connection: sqlite3.Connection) -> bytes:
    """Return the key that page tokens are signed with; it is made once, with the data."""
    value: bytes = connection.execute("SELECT value FROM settings WHERE name = 'token_secret'").fetchone()[0]
    return value
