"""The tables, and the version of the format."""

import hashlib
import secrets
import sqlite3
from typing import Final

from s3vectors_local.errors import StoreError, StoreTooNew, StoreTooOld

FORMAT_VERSION: Final = 4
_APPLICATION_ID: Final = 0x53335645  # "S3VE" in the SQLite header: tells our files from other databases

_FIRST_TABLES: Final = """
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
    count INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    slab INTEGER NOT NULL DEFAULT 1,
    slots INTEGER NOT NULL DEFAULT 0,
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

-- slot is the place of the row in the index's slab: see slab.py.
-- metadata is JSON text in two parts, NULL for an empty one
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    filterable BLOB,
    other BLOB,
    slot INTEGER NOT NULL DEFAULT 0,
    UNIQUE (index_id, key)
);
"""

SLAB_TABLES: Final = """
-- the slots that no record points to any more, and since which generation
CREATE TABLE dead (
    index_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (index_id, generation, slot)
) WITHOUT ROWID;
"""

TEXT_TABLES: Final = """
-- language is NULL for the standard analyzer; documents hold one term or more, length terms in all; filled is NULL once
-- every record is indexed, and before that the last one that was there first and is
CREATE TABLE text_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    language TEXT,
    documents INTEGER NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0,
    filled INTEGER,
    UNIQUE (index_id, key)
);

-- what was indexed of a record: its terms in their order, parted by spaces
CREATE TABLE texts (
    text_key INTEGER NOT NULL REFERENCES text_keys (id),
    record INTEGER NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (text_key, record)
) WITHOUT ROWID;

-- the same turned round, in blocks of ascending records, none before `first`: see postings.py
CREATE TABLE postings (
    id INTEGER PRIMARY KEY,
    text_key INTEGER NOT NULL REFERENCES text_keys (id),
    term TEXT NOT NULL,
    first INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (text_key, term, first)
);
"""


def is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether the database holds nothing yet."""
    count: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return count == 0


def create(connection: sqlite3.Connection) -> None:
    """Create the tables and stamp the format, in the caller's transaction."""
    for tables in (_FIRST_TABLES, TEXT_TABLES, SLAB_TABLES):
        execute(connection, tables)
    connection.execute("INSERT INTO settings VALUES ('token_secret', ?)", (secrets.token_bytes(32),))
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def is_older(connection: sqlite3.Connection) -> bool:
    """Tell whether the database is ours, in a format that `migration` brings up to date."""
    return _is_ours(connection) and version(connection) < FORMAT_VERSION


def check_owner(connection: sqlite3.Connection) -> None:
    """Raise StoreTooNew for a newer format, StoreError for a database that is not ours."""
    if not _is_ours(connection):
        raise StoreError("the file is a database of another program")
    found = version(connection)
    if found > FORMAT_VERSION:
        raise StoreTooNew(
            f"the data has format {found}, this release knows up to {FORMAT_VERSION}: use the release that wrote it"
        )


def check(connection: sqlite3.Connection) -> None:
    """Raise StoreTooNew for a newer format, StoreTooOld for an older one, StoreError for what is not ours."""
    check_owner(connection)
    found = version(connection)
    if found < FORMAT_VERSION:
        raise StoreTooOld(
            f"the data has format {found}, this release reads {FORMAT_VERSION}: open it for writing once to convert"
        )


def token_secret(connection: sqlite3.Connection) -> bytes:
    """Return the key that page tokens are signed with; it is made once, with the data."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'token_secret'").fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise StoreError("the database is damaged: it has no key to sign tokens with")
    return row[0]


def identity(connection: sqlite3.Connection) -> str:
    """Return a name that no other database has: what is derived from this one carries it."""
    return hashlib.sha256(token_secret(connection)).hexdigest()[:32]


def _is_ours(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID)


def version(connection: sqlite3.Connection) -> int:
    """Return the number of the format."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def execute(connection: sqlite3.Connection, statements: str) -> None:
    """Execute statements, parted by semicolons at the ends of lines, in the caller's transaction."""
    # Not executescript: that would commit the caller's transaction.
    for statement in statements.split(";\n"):
        connection.execute(statement)
