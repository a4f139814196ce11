"""Compaction beside readers and writers, and what is left of one that does not end."""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine, upkeep
from s3vectors_local.errors import ServiceUnavailableException
from s3vectors_local.model import Metric, NewIndex, NewVector, Query
from s3vectors_local.search import search
from s3vectors_local.storage import compaction
from s3vectors_local.storage.slab import FileSlab, Rows, row_type

ROW = row_type(2).itemsize
ZERO = np.zeros(2, np.float32)
Call = Callable[[], Any]


def _put(engine: Engine, count: int, *, round_: int, start: int = 0) -> None:
    vectors = [NewVector(f"k{n}", np.array([n, round_], np.float32)) for n in range(start, start + count)]
    engine.put_vectors("demo", "flat", vectors)


def _found(engine: Engine) -> dict[str, list[float]]:
    vectors = engine.list_vectors("demo", "flat", limit=1000, data=True).items
    return {vector.key: np.asarray(vector.data).tolist() for vector in vectors}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with an index of 20 vectors and 20 dead rows."""
    with open_engine(tmp_path / "data") as engine:
        engine.create_bucket("demo")
        engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN))
        _put(engine, 20, round_=1)
        _put(engine, 20, round_=2)
    return tmp_path / "data"


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "rows").iterdir())


def test_dead_rows_go(folder: Path) -> None:
    """After it the slab holds the live rows alone, all answers are the same, and the old file is gone."""
    with open_engine(folder) as engine:
        before = _found(engine)
        engine.compact("demo", "flat")
        index = engine.get_index("demo", "flat")
        assert (index.slab, index.slots, index.count) == (2, 20, 20)
        assert _found(engine) == before
        assert _files(folder) == ["1-2.rows"]
        engine.compact("demo", "flat")  # nothing to do
        assert _files(folder) == ["1-2.rows"]
    with open_engine(folder) as engine:
        assert (engine.verify(), _found(engine)) == ([], before)


def test_reader_beside_compaction(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose slab is taken away between the state that it sees and its rows begins again, and answers."""
    real = FileSlab.read
    with open_engine(folder) as writer, open_engine(folder, read_only=True) as reader:
        due: list[bool] = []

        def read(slab: FileSlab, slots: int, **how: bool) -> Rows:
            if due:
                due.clear()
                _put(writer, 20, round_=3)
                writer.compact("demo", "flat")
            return real(slab, slots, **how)

        monkeypatch.setattr(FileSlab, "read", read)
        calls: list[Call] = [
            lambda: _found(reader),
            lambda: reader.get_vectors("demo", "flat", ["k3"], data=True)[0].key,
            lambda: reader.query_vectors("demo", "flat", Query(ZERO, 1))[0].items[0].key,
        ]
        for call, expected in zip(calls, ({f"k{n}": [n, 3] for n in range(20)}, "k3", "k0"), strict=True):
            due.append(True)
            assert call() == expected
            assert not due
        assert writer.get_index("demo", "flat").slab == 4


def test_readers_and_a_writer(folder: Path) -> None:
    """While a writer overwrites everything and compacts, in turn, every read shows one of the states."""
    rounds = range(3, 25)
    with open_engine(folder) as writer, open_engine(folder, read_only=True) as reader:
        seen: list[set[float]] = []
        stopped = threading.Event()

        def look(engine: Engine) -> None:
            while not stopped.is_set():
                seen.append({round_ for _, round_ in _found(engine).values()})
                hits = engine.query_vectors("demo", "flat", Query(ZERO, 20))[0].items
                seen.append({round(hit.distance - int(hit.key[1:]) ** 2) ** 0.5 for hit in hits if hit.distance})

        threads = [threading.Thread(target=look, args=[engine]) for engine in (writer, reader)]
        for thread in threads:
            thread.start()
        for round_ in rounds:
            _put(writer, 20, round_=round_)
            writer.compact("demo", "flat")
        stopped.set()
        for thread in threads:
            thread.join()
        assert writer.verify() == []
    assert len(seen) > 20
    assert all(len(found) == 1 for found in seen)
    assert {round_ for found in seen for round_ in found} <= {2, *rounds}


def test_without_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk it is refused, leaves no file behind, and can be done later."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_engine(folder) as engine:
        before = _found(engine)
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(ServiceUnavailableException, match="disk is full"):
            engine.compact("demo", "flat")
        monkeypatch.undo()
        assert _files(folder) == ["1-1.rows"]
        assert _found(engine) == before
        engine.compact("demo", "flat")
        assert (engine.verify(), _found(engine), _files(folder)) == ([], before, ["1-2.rows"])


def test_without_room_in_the_database(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same when SQLite says so while the records are led to the new file."""
    real = compaction._lead
    with open_engine(folder) as engine:
        before, writer = _found(engine), engine._store._writer
        assert writer is not None

        def lead(c: sqlite3.Connection, *args: Any) -> None:
            real(c, *args)
            (pages,) = c.execute("PRAGMA page_count").fetchone()
            c.execute(f"PRAGMA max_page_count = {pages}")
            c.execute("CREATE TABLE filler AS SELECT zeroblob(10000000)")

        monkeypatch.setattr(compaction, "_lead", lead)
        with pytest.raises(ServiceUnavailableException, match="disk is full"):
            engine.compact("demo", "flat")
        assert (engine.verify(), _found(engine), _files(folder)) == ([], before, ["1-1.rows"])
        monkeypatch.undo()
        writer.execute("PRAGMA max_page_count = 1000000")
        engine.compact("demo", "flat")
        assert (engine.verify(), _found(engine), _files(folder)) == ([], before, ["1-2.rows"])


def test_of_an_index_that_is_deleted_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives up, and no file is left."""
    real = compaction._copied
    with open_engine(folder) as engine:

        def copied(*args: Any) -> Any:
            found = real(*args)
            engine.delete_index("demo", "flat")
            return found

        monkeypatch.setattr(compaction, "_copied", copied)
        engine.compact("demo", "flat")
        assert _files(folder) == []


def test_reader_whose_rows_are_about_to_be_read_ahead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a compaction removes after it was mapped is answered from, and the reader goes on."""
    monkeypatch.setattr(search, "_READ_AHEAD", 0)
    real = FileSlab.read_ahead
    with open_engine(folder) as writer, open_engine(folder, read_only=True) as reader:

        def late(slab: FileSlab) -> None:
            monkeypatch.undo()
            writer.compact("demo", "flat")
            real(slab)

        monkeypatch.setattr(FileSlab, "read_ahead", late)
        for _ in range(2):
            page, _token = reader.query_vectors("demo", "flat", Query(ZERO, 1))
            assert [hit.key for hit in page.items] == ["k0"]
        assert _files(folder) == ["1-2.rows"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not tell what is mapped")
@pytest.mark.parametrize("gone", ["compacted", "deleted"])
def test_idle_processes_let_go(folder: Path, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """A file that was removed takes no room for long: also who asks for nothing any more has it no longer mapped."""
    monkeypatch.setattr(upkeep, "_LET_GO", 0.0)
    with open_engine(folder) as writer, open_engine(folder, read_only=True) as reader:
        for engine in (writer, reader):
            engine.query_vectors("demo", "flat", Query(ZERO, 1))
        assert _mapped(folder) == {"1-1.rows"}
        if gone == "compacted":
            writer.compact("demo", "flat")
        else:
            writer.delete_index("demo", "flat")
        until = time.monotonic() + 20
        while _mapped(folder):
            assert time.monotonic() < until
            time.sleep(0.05)


def _mapped(folder: Path) -> set[str]:
    """Return the names of the files of rows that this process has mapped, be they there or not."""
    names = [line.removesuffix(" (deleted)") for line in Path("/proc/self/maps").read_text().splitlines()]
    return {Path(name).name for name in names if f"{folder}/rows/" in name}


def test_one_that_did_not_end(folder: Path) -> None:
    """A file that a killed compaction left, longer than what will be in it, is in nobody's way."""
    (folder / "rows/1-2.rows").write_bytes(b"\x5a" * 100 * ROW)
    with open_engine(folder) as engine:
        assert _files(folder) == ["1-1.rows"]
        (folder / "rows/1-2.rows").write_bytes(b"\x5a" * 100 * ROW)
        engine.compact("demo", "flat")
        _put(engine, 5, round_=3)
        assert engine.verify() == []
        assert _found(engine) == {f"k{n}": [n, 3 if n < 5 else 2] for n in range(20)}
