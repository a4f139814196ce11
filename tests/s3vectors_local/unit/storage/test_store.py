"""Opening, locking, versions, and what a failure does."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import (
    BucketNotFound,
    InternalServerException,
    StoreError,
    StoreFailed,
    StoreLocked,
    StoreMissing,
    StoreTooNew,
)
from s3vectors_local.storage import open_store, schema
from s3vectors_local.storage.store import FILE_NAME

HOLD = """
import sys
from pathlib import Path
from s3vectors_local import Engine, open_engine
with open_engine(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_second_writer_is_refused(folder: Path) -> None:
    """Another process that writes is named by its process id, at once; when it ends, the next may write."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked, match=f"process {other.pid} is writing to") as caught:
            open_engine(folder)
        assert caught.value.pid == other.pid
        with open_engine(folder, read_only=True) as reader:
            assert reader.get_index("demo", "flat").count == 1
        other.stdin.close()
    with open_engine(folder):
        pass


def test_second_engine_of_this_process_is_refused(folder: Path) -> None:
    """One process does not get two writers either."""
    with open_engine(folder), pytest.raises(StoreLocked, match="this one") as caught:
        open_engine(folder)
    assert caught.value.pid == os.getpid()


def test_nothing_to_read(tmp_path: Path) -> None:
    """Reading where nothing was ever written is an error, and creates nothing."""
    with pytest.raises(StoreMissing):
        open_store(tmp_path / "none", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_newer_format_is_refused(folder: Path) -> None:
    """Data of a newer release is not touched."""
    _execute(folder, f"PRAGMA user_version = {schema.FORMAT_VERSION + 1}")
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match=r"format 3, this release knows up to 2"):
            open_store(folder, read_only=read_only)


def test_other_database_is_refused(tmp_path: Path) -> None:
    """A database of another program is left alone."""
    _execute(tmp_path, "CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program"):
        open_store(tmp_path)


def test_not_a_database(tmp_path: Path) -> None:
    """A file that is no database is an error with its name; the lock is free again."""
    (tmp_path / FILE_NAME).write_bytes(b"not a database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match=FILE_NAME):
            open_store(tmp_path)


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    """A file where the folder should be is an error."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot use the folder"):
        open_store(tmp_path / "file")


def test_commits_are_synced(folder: Path) -> None:
    """The writer runs with a write-ahead log and synchronous=FULL: a commit returns after its sync."""
    store = open_store(folder)
    with store.write() as c:
        assert c.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert c.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_an_exception_undoes(folder: Path) -> None:
    """A transaction left by an exception leaves no trace, and the store goes on."""
    with open_engine(folder) as engine:
        with pytest.raises(sqlite3.IntegrityError):
            _rename_and_fail(engine)
        assert engine.get_bucket("demo").name == "demo"


def test_after_a_failed_write(folder: Path) -> None:
    """After the medium failed once every call fails, until a reopen; what was committed before is there."""
    with open_engine(folder) as engine:
        engine.create_bucket("before")
        engine._store._writer.execute("PRAGMA max_page_count = 1")  # type: ignore[union-attr]
        engine._store._writer.execute("PRAGMA cache_size = 1")  # type: ignore[union-attr]
        with pytest.raises(StoreFailed, match="close and reopen"):
            _fill(engine)
        with pytest.raises(StoreFailed, match="an earlier read or write failed"):
            engine.get_bucket("before")
    with open_engine(folder) as engine:
        assert engine.get_bucket("before").name == "before"
        assert engine.verify() == []


def test_mistakes_do_not_kill_the_store(folder: Path) -> None:
    """Only the medium's failures do: an error of ours undoes the transaction and no more."""
    with open_engine(folder) as engine:
        with pytest.raises(sqlite3.IntegrityError), engine._store.write() as c:
            c.execute("INSERT INTO buckets SELECT * FROM buckets")
        with pytest.raises(BucketNotFound):
            engine.get_bucket("nope")
        assert engine.get_bucket("demo").name == "demo"
    assert InternalServerException.status == 500


def test_reader_sees_one_state(folder: Path) -> None:
    """A read transaction shows the same state to its end, while others commit."""
    with open_engine(folder) as engine, engine._store.read() as c:
        before = c.execute("SELECT count(*) FROM buckets").fetchone()
        engine.create_bucket("new")
        assert c.execute("SELECT count(*) FROM buckets").fetchone() == before


def test_readers_cannot_write(folder: Path) -> None:
    """A reader's connection forbids itself to write."""
    store = open_store(folder, read_only=True)
    with pytest.raises(StoreFailed, match="readonly"), store.read() as c:
        c.execute("DELETE FROM vectors")
    store.close()


def _rename_and_fail(engine: Engine) -> None:
    with engine._store.write() as c:
        c.execute("UPDATE buckets SET name = 'gone'")
        c.execute("INSERT INTO buckets SELECT * FROM buckets")


def _fill(engine: Engine) -> None:
    for number in range(10_000):
        engine.create_bucket(f"bucket-{number}")


def _execute(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(sql)
    connection.commit()
    connection.close()
