"""Opening, locking, versions, and what a failure does."""

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import (
    StoreError,
    StoreFailed,
    StoreLocked,
    StoreMissing,
    StoreTooNew,
)
from s3vectors_local.model import Metric, NewIndex
from s3vectors_local.storage import open_store, schema, slab, store
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


def test_no_room_for_the_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that found no room for its process id holds no lock: the next try, once there is room, gets it."""

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StoreError, match="No space left on device"):
            open_engine(folder)
    open_engine(folder).close()


def test_no_locks_on_the_file_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no locks that is what is told, not that another process writes."""

    def none(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(StoreError, match="No locks available"):
        open_engine(folder)


def test_closed_while_a_read_ends(folder: Path) -> None:
    """A read that was good stays good when the store is closed at any moment of its end."""

    class Closing(list[sqlite3.Connection]):
        def append(self, connection: sqlite3.Connection) -> None:
            super().append(connection)
            opened.close()

    opened = open_store(folder)
    with opened.read() as connection:
        assert schema.is_empty(connection) is False
        opened._idle = Closing()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_nothing_to_read(tmp_path: Path) -> None:
    """Reading where nothing was ever written is an error, and creates nothing."""
    with pytest.raises(StoreMissing):
        open_store(tmp_path / "none", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_newer_format_is_refused(folder: Path) -> None:
    """Data of a newer release is not touched."""
    _execute(folder, f"PRAGMA user_version = {schema.FORMAT_VERSION + 1}")
    for read_only in (False, True):
        with pytest.raises(
            StoreTooNew, match=f"format {schema.FORMAT_VERSION + 1}, this release knows up to {schema.FORMAT_VERSION}:"
        ):
            open_store(folder, read_only=read_only)


def test_other_database_is_refused(tmp_path: Path) -> None:
    """A database of another program is left alone: not a byte of it is changed."""
    _execute(tmp_path, "CREATE TABLE theirs (x)")
    before = (tmp_path / FILE_NAME).read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreError, match="another program"):
            open_store(tmp_path, read_only=read_only)
    assert (tmp_path / FILE_NAME).read_bytes() == before
    assert not (tmp_path / "rows").exists()


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


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a new folder that every user may reach and read."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_folder_that_may_not_be_written(open_folder: Path) -> None:
    """A folder without the right to write is refused with its name and the reason, and nothing is made in it."""
    open_folder.chmod(0o555)
    with _as_nobody():
        for path in (open_folder, open_folder / "new"):
            with pytest.raises(StoreError, match=f"cannot use the folder {path}: Permission denied"):
                open_engine(path)
    assert list(open_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "mode"), [(FILE_NAME, 0o444), ("rows", 0o555), ("rows/1-1.rows", 0o444), ("writer.lock", 0o444)]
)
def test_file_that_may_not_be_written(open_folder: Path, vector: Any, name: str, mode: int) -> None:
    """A file without the right to write is refused with a name and a reason at the start; what is in it stays."""
    open_folder.chmod(0o777)
    with _as_nobody(), open_engine(open_folder) as engine:
        engine.create_bucket("demo")
        engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN))
        engine.put_vectors("demo", "flat", [vector("one", 1, 2)])
    before = (open_folder / name).stat().st_mode
    (open_folder / name).chmod(mode)
    with _as_nobody(), pytest.raises(StoreError, match=f"cannot .*{open_folder}.*(ermission denied|readonly database)"):
        open_engine(open_folder)
    (open_folder / name).chmod(before)
    with open_engine(open_folder) as engine:
        assert engine.verify() == []
        assert engine.get_index("demo", "flat").count == 1


def test_new_folders_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of every folder and file that a first start makes is on the disk before the first answer."""
    synced: list[Path] = []
    for module in (store, slab):
        monkeypatch.setattr(module, "sync_folder", synced.append)
    path = tmp_path / "a/b/c"
    open_engine(path).close()
    assert set(synced) == {tmp_path, tmp_path / "a", tmp_path / "a/b", path}


def test_opening_moves_the_log(folder: Path, tmp_path: Path) -> None:
    """A writer that starts writes the log into the database, also beside readers: a later one does not build on it."""
    with open_engine(folder, read_only=True) as reader:
        with open_engine(folder) as engine:
            engine.create_bucket("new")
        assert (folder / f"{FILE_NAME}-wal").stat().st_size
        with open_engine(folder):
            shutil.copy(folder / FILE_NAME, tmp_path)
        assert len(reader.list_buckets().items) == 2
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as alone:
        assert alone.execute("SELECT name FROM buckets ORDER BY name").fetchall() == [("demo",), ("new",)]


def test_commits_are_synced(folder: Path) -> None:
    """The writer runs with a write-ahead log and synchronous=FULL: a commit returns after its sync."""
    opened = open_store(folder)
    with opened.write() as c:
        assert c.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert c.execute("PRAGMA synchronous").fetchone() == (2,)
    opened.close()


def test_an_exception_undoes(folder: Path) -> None:
    """A transaction left by an exception leaves no trace, and the store goes on."""
    with open_engine(folder) as engine:
        with pytest.raises(sqlite3.IntegrityError):
            _rename_and_fail(engine)
        assert engine.get_bucket("demo").name == "demo"


def test_reader_sees_one_state(folder: Path) -> None:
    """A read transaction shows the same state to its end, while others commit."""
    with open_engine(folder) as engine, engine._store.read() as c:
        before = c.execute("SELECT count(*) FROM buckets").fetchone()
        engine.create_bucket("new")
        assert c.execute("SELECT count(*) FROM buckets").fetchone() == before


def test_readers_cannot_write(folder: Path) -> None:
    """A reader's connection forbids itself to write."""
    opened = open_store(folder, read_only=True)
    with pytest.raises(StoreFailed, match="readonly"), opened.read() as c:
        c.execute("DELETE FROM records")
    opened.close()


def test_a_folder_that_may_not_be_written_says_what_a_reader_needs(open_folder: Path) -> None:
    """SQLite's readers, too, write beside the database."""
    open_engine(open_folder).close()
    for path in (*open_folder.rglob("*"), open_folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with _as_nobody(), pytest.raises(StoreError, match="who only reads must be allowed to write here, too"):
        open_engine(open_folder, read_only=True)


def _rename_and_fail(engine: Engine) -> None:
    with engine._store.write() as c:
        c.execute("UPDATE buckets SET name = 'gone'")
        c.execute("INSERT INTO buckets SELECT * FROM buckets")


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Drop root's right to write everywhere, where there is one."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _execute(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(sql)
    connection.commit()
    connection.close()
