"""After a failure: what is refused, what goes on, and what is there after a reopen."""

import errno
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from s3vectors_local.engine import open_engine
from s3vectors_local.errors import (
    BucketNotFound,
    InternalServerException,
    ServiceUnavailableException,
    StoreError,
    StoreFailed,
)
from s3vectors_local.storage import store
from s3vectors_local.storage.store import FILE_NAME


@pytest.mark.parametrize("number", [errno.EIO, errno.EFBIG, errno.EROFS, errno.ENODEV])
def test_after_a_failed_write(folder: Path, vector: Any, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """After the medium failed once every call fails, until a reopen; what was committed before is there."""
    with open_engine(folder) as engine:
        engine.create_bucket("before")
        _failing(monkeypatch, "pwrite", number)
        with pytest.raises(StoreFailed, match="close and reopen"):
            engine.put_vectors("demo", "flat", [vector("two", 1, 2)])
        monkeypatch.undo()
        for call in (engine.list_buckets, lambda: engine.create_bucket("after"), engine.verify):
            with pytest.raises(StoreFailed, match="an earlier read or write failed"):
                call()
    with open_engine(folder) as engine:
        assert [bucket.name for bucket in engine.list_buckets().items] == ["before", "demo"]
        assert engine.get_index("demo", "flat").count == 1
        assert engine.verify() == []


def test_after_a_failed_sync(folder: Path, vector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that failed is not tried again: the system may have dropped what it could not write."""
    with open_engine(folder) as engine:
        _failing(monkeypatch, "fdatasync", errno.EIO)
        with pytest.raises(StoreFailed, match="Input/output error"):
            engine.put_vectors("demo", "flat", [vector("two", 1, 2)])
        monkeypatch.undo()
        with pytest.raises(StoreFailed):
            engine.put_vectors("demo", "flat", [vector("two", 1, 2)])
    with open_engine(folder) as engine:
        assert [each.key for each in engine.list_vectors("demo", "flat").items] == ["one"]


def test_after_damage_was_read(folder: Path) -> None:
    """A page of the database that is nonsense is a failure of the medium, told as such."""
    _execute(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    pages = bytearray((folder / FILE_NAME).read_bytes())
    pages[8192:] = b"\x55" * (len(pages) - 8192)
    (folder / FILE_NAME).write_bytes(pages)
    with pytest.raises(StoreError, match=r"malformed|cannot open"):
        open_engine(folder).verify()


def test_locked_by_somebody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds SQLite's own lock writes are refused as busy, after a while; reads go on."""
    monkeypatch.setattr(store, "_BUSY_SECONDS", 0.05)
    with open_engine(folder) as engine, closing(sqlite3.connect(folder / FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceUnavailableException, match="busy"):
            engine.create_bucket("new")
        assert engine.get_bucket("demo").name == "demo"
        other.rollback()
        engine.create_bucket("new")


def test_no_file_handles(folder: Path, vector: Any) -> None:
    """Without a file handle left a call is refused as busy; with one again everything goes on."""
    with open_engine(folder) as engine:
        with _no_file_handles():
            with pytest.raises(ServiceUnavailableException, match="try again"):
                engine.get_vectors("demo", "flat", ["one"], data=True)
            with pytest.raises(ServiceUnavailableException, match="try again"):
                engine.put_vectors("demo", "flat", [vector("two", 1, 2)])
        with engine._store.read(), _no_file_handles(), pytest.raises(ServiceUnavailableException, match="try again"):
            engine.get_bucket("demo")  # by a second connection
        engine.put_vectors("demo", "flat", [vector("two", 1, 2)])
        assert len(engine.get_vectors("demo", "flat", ["one", "two"], data=True)) == 2
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


def _failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)


@contextmanager
def _no_file_handles() -> Iterator[None]:
    taken = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for file in taken:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def _execute(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(sql)
    connection.commit()
    connection.close()
