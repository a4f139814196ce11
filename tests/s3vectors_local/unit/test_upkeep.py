"""What the engine does beside its callers: coarse indexes appear, follow compactions, and are never needed."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.engine import upkeep as upkeep_module
from s3vectors_local.errors import StoreFailed
from s3vectors_local.model import Index, Metric, NewIndex, NewVector, Query, SearchState
from s3vectors_local.search import staleness
from s3vectors_local.search.coarse import Coarse
from s3vectors_local.search.derived import DerivedFiles
from s3vectors_local.storage import compaction

ROWS = np.random.default_rng(3).standard_normal((3_000, 24)).astype(np.float32)
QUERIES = np.random.default_rng(4).standard_normal((20, 24)).astype(np.float32)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a thousand small rows count as many."""
    for module in (upkeep_module, staleness):
        monkeypatch.setattr(module, "COMPARED_BYTES", 50_000)
    monkeypatch.setattr(staleness, "_FEW_ROWS", 500)
    monkeypatch.setattr(upkeep_module, "_WASTED_BYTES", 100_000)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine on disk whose index `demo/flat` holds all rows."""
    with open_engine(tmp_path) as engine:
        _fill(engine)
        yield engine


def _fill(engine: Engine) -> None:
    engine.create_bucket("demo")
    engine.create_index("demo", NewIndex("flat", 24, Metric.COSINE))
    _put(engine, range(len(ROWS)))


def _put(engine: Engine, numbers: range, *, shift: int = 0) -> None:
    for start in range(numbers.start, numbers.stop, 500):
        part = range(start, min(start + 500, numbers.stop))
        vectors = [NewVector(f"k{n}", ROWS[(n + shift) % len(ROWS)], {"even": n % 2 == 0}) for n in part]
        engine.put_vectors("demo", "flat", vectors)


def _keys(engine: Engine, where: Any = None) -> list[list[str]]:
    pages = [engine.query_vectors("demo", "flat", Query(query, 10, where))[0] for query in QUERIES]
    return [[hit.key for hit in page.items] for page in pages]


def _state(engine: Engine) -> SearchState:
    return engine.search_state(engine.get_index("demo", "flat"))


def _coarse(engine: Engine) -> Coarse:
    found = engine._search.coarse(engine.get_index("demo", "flat"))
    assert found is not None
    return found


def _wait(engine: Engine, condition: Any) -> None:
    until = time.monotonic() + 60
    while not condition(_state(engine)):
        assert time.monotonic() < until, _state(engine)
        time.sleep(0.05)


def test_a_coarse_index_appears(tmp_path: Path) -> None:
    """An index that has grown gets a coarse index by itself, with a measured recall; it is there after a restart."""
    with open_engine(tmp_path) as engine:
        _fill(engine)
        exact = _keys(engine)
        _wait(engine, lambda state: state.lists and not state.pending)
        assert _state(engine).recall >= 0.99
        assert _keys(engine) == exact
    with open_engine(tmp_path) as engine:
        assert _state(engine).lists
        assert _keys(engine) == exact


def test_in_memory_too() -> None:
    """An engine without a folder builds in its own process."""
    with open_engine(None) as engine:
        _fill(engine)
        _wait(engine, lambda state: state.lists)


def test_writes_during_a_build(filled: Engine) -> None:
    """A build that ends after later writes is used, and those writes are found."""
    _wait(filled, lambda state: state.lists)
    target = filled.get_index("demo", "flat")
    for number in range(8):
        filled._upkeep.notice(target)
        _put(filled, range(number * 300, (number + 1) * 300), shift=1)
    _wait(filled, lambda state: state.pending < 1_000)
    _wait(filled, lambda _: filled._search.summary(filled.get_index("demo", "flat")) is not None)
    vector = ROWS[(7 + 1) % len(ROWS)]
    page, _ = filled.query_vectors("demo", "flat", Query(vector, 1))
    assert [hit.key for hit in page.items] == ["k7"]


def test_later_rows_are_put_into_the_lists(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after a build is put into its lists by itself, without a new build; answers are those of all rows."""
    monkeypatch.setattr(staleness, "_WAITING_ROWS", 100)
    filled.build("demo", "flat")
    before = _coarse(filled)
    filled.delete_vectors("demo", "flat", [f"k{n}" for n in range(400)])
    _put(filled, range(400), shift=1)
    _wait(filled, lambda state: state.pending <= 150)
    after = _coarse(filled)
    assert after.centres is not before.centres  # read from its file again
    np.testing.assert_array_equal(after.centres.values, before.centres.values)
    assert (after.built, after.later) == (before.built, 400)
    for number in (0, 17, 399):
        page, _ = filled.query_vectors("demo", "flat", Query(ROWS[number + 1], 2))
        assert f"k{number}" in [hit.key for hit in page.items]


def test_an_index_that_has_outgrown_its_lists_is_built_anew(filled: Engine) -> None:
    """Where there are more than twice the rows that the lists were made from, they are made again."""
    filled.delete_vectors("demo", "flat", [f"k{n}" for n in range(500, 1_000)])
    filled.delete_vectors("demo", "flat", [f"k{n}" for n in range(1_000, 1_500)])
    filled.build("demo", "flat")
    built = _coarse(filled)
    assert built.rows == 2_000
    vectors = [NewVector(f"n{n}", ROWS[n] + np.float32(0.1), {}) for n in range(2_100)]
    for start in range(0, 2_100, 500):
        filled.put_vectors("demo", "flat", vectors[start : start + 500])
    _wait(filled, lambda _: _coarse(filled).rows > 4_000)


def test_what_comes_during_a_build_is_put_into_the_lists(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build may take long: until it ends, the lists before it take what comes, and then its own do."""
    monkeypatch.setattr(staleness, "_WAITING_ROWS", 100)
    filled.build("demo", "flat")
    before = _coarse(filled)
    held, go = threading.Event(), threading.Event()
    original = subprocess.Popen.communicate

    def late(process: Any, *args: Any, **more: Any) -> Any:
        held.set()
        if not go.is_set():
            time.sleep(0.02)
            raise subprocess.TimeoutExpired("build", 0.02)
        return original(process, *args, **more)

    monkeypatch.setattr(subprocess.Popen, "communicate", late)
    builder = threading.Thread(target=filled.build, args=("demo", "flat"))
    builder.start()
    assert held.wait(10)
    _put(filled, range(400), shift=1)
    _wait(filled, lambda state: state.pending <= 150)
    assert _coarse(filled).built == before.built
    go.set()
    builder.join()
    assert _coarse(filled).built > before.built
    for number in (0, 17, 399):
        page, _ = filled.query_vectors("demo", "flat", Query(ROWS[number + 1], 2))
        assert f"k{number}" in [hit.key for hit in page.items]


def test_an_index_that_is_deleted_during_its_build(
    tmp_path: Path, filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was built of it is thrown away, and no error is told."""
    waited = filled._upkeep._meanwhile

    def deleted(process: subprocess.Popen[bytes], building: int) -> bytes:
        said = waited(process, building)
        assert list((tmp_path / "derived").glob("*.built"))
        filled.delete_index("demo", "flat")
        (tmp_path / "derived" / "1.built").touch()  # of a process that ended after the index did
        return said

    monkeypatch.setattr(filled._upkeep, "_meanwhile", deleted)
    filled.build("demo", "flat")
    assert list((tmp_path / "derived").iterdir()) == []


def test_a_reader_follows_the_writer(tmp_path: Path, filled: Engine) -> None:
    """An engine that only reads takes over the coarse index that another one makes later."""
    with open_engine(tmp_path, read_only=True) as reader:
        exact = _keys(reader)
        assert not _state(reader).lists
        filled.build("demo", "flat")
        _wait(reader, lambda _: reader._search.coarse(reader.get_index("demo", "flat")) is not None)
        assert _keys(reader) == exact
        filled.delete_vectors("demo", "flat", [f"k{n}" for n in range(50)])
        filled.compact("demo", "flat")
        _wait(reader, lambda _: reader._search.coarse(reader.get_index("demo", "flat")) is not None)
        assert _state(reader).dead == 0
        assert _keys(reader) == _keys(filled)


def test_compaction_keeps_answers(tmp_path: Path, filled: Engine) -> None:
    """After a compaction there are no dead rows, the coarse index is kept, and every answer is the same."""
    filled.build("demo", "flat")
    filled.delete_vectors("demo", "flat", [f"k{n}" for n in range(100, 500)])
    _put(filled, range(600), shift=1_500)
    before = _keys(filled), _keys(filled, {"even": True})
    size = filled.get_index("demo", "flat").count
    with open_engine(tmp_path, read_only=True) as reader:
        assert _keys(reader) == before[0]
        filled.compact("demo", "flat")
        assert (_keys(reader), _keys(reader, {"even": True})) == before
        assert reader.get_vectors("demo", "flat", ["k2999"], data=True)[0].data == pytest.approx(ROWS[2999])
    index, state = filled.get_index("demo", "flat"), _state(filled)
    assert (index.slots, index.count, state.dead) == (size, size, 0)
    assert state.lists
    assert (_keys(filled), _keys(filled, {"even": True})) == before
    assert filled.verify() == []


def test_compaction_comes_by_itself(filled: Engine) -> None:
    """Where more rows are dead than alive, a new slab is made without being asked for, and the old one goes."""
    for shift in range(3):
        _put(filled, range(len(ROWS)), shift=shift)
    _wait(filled, lambda state: not state.dead)
    assert filled.get_index("demo", "flat").slab > 1
    assert len(list(filled._store.slabs._folder.iterdir())) == 1  # type: ignore[union-attr]
    assert filled.verify() == []


def test_compaction_beside_a_writer(filled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written while rows are copied is not lost, and what is deleted meanwhile does not come back."""
    _put(filled, range(100), shift=9)
    original = compaction._copied

    def late(*args: Any) -> Any:
        copied = original(*args)
        monkeypatch.undo()
        _put(filled, range(50), shift=77)
        filled.delete_vectors("demo", "flat", ["k60", "k2000"])
        return copied

    monkeypatch.setattr(compaction, "_copied", late)
    filled.compact("demo", "flat")
    found = filled.get_vectors("demo", "flat", ["k49", "k60", "k99", "k2000"], data=True)
    assert {each.key: each.data.tolist() for each in found if each.data is not None} == {
        "k49": ROWS[49 + 77].tolist(),
        "k99": ROWS[99 + 9].tolist(),
    }
    assert filled.verify() == []
    page, _ = filled.query_vectors("demo", "flat", Query(ROWS[2000], 1))
    assert [hit.key for hit in page.items] != ["k2000"]


@pytest.mark.parametrize("damage", ["deleted", "cut", "flipped", "garbage"])
def test_derived_files_are_never_needed(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without its coarse index, or with a damaged one, an index gives the same answers and gets a new one."""
    with open_engine(tmp_path) as engine:
        _fill(engine)
        engine.build("demo", "flat")
        expected = _keys(engine)
    (path,) = (tmp_path / "derived").iterdir()
    content = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-7])
    elif damage == "flipped":
        path.write_bytes(content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:])
    else:
        path.write_bytes(b"{}\n" * 100)
    with open_engine(tmp_path, read_only=True) as engine:
        assert _keys(engine) == expected
        assert not _state(engine).lists  # told as it is searched, not as the file claims
    with open_engine(tmp_path) as engine:
        assert _keys(engine) == expected
        assert engine.verify() == []
        _wait(engine, lambda _: engine._search.summary(engine.get_index("demo", "flat")) is not None)
        assert _keys(engine) == expected
    if damage in {"cut", "flipped"}:
        assert "will be built again" in caplog.text


def test_of_another_database(tmp_path: Path) -> None:
    """A coarse index that was made from other data, or from a later state of a restored one, is not used."""
    for name in ("first", "second"):
        with open_engine(tmp_path / name) as engine:
            _fill(engine)
            engine.build("demo", "flat")
    (mine,) = (tmp_path / "first" / "derived").iterdir()
    (other,) = (tmp_path / "second" / "derived").iterdir()
    mine.write_bytes(other.read_bytes())
    with open_engine(tmp_path / "first", read_only=True) as engine:
        assert not _state(engine).lists
    with open_engine(tmp_path / "first") as engine:
        assert not mine.exists() or _state(engine).lists


def test_a_missing_slab_is_told(tmp_path: Path) -> None:
    """Rows that somebody took away are an error that names the file, not an endless search for them."""
    with open_engine(tmp_path) as engine:
        _fill(engine)
    for path in (tmp_path / "rows").iterdir():
        path.unlink()
    with open_engine(tmp_path, read_only=True) as engine:
        with pytest.raises(StoreFailed, match=r"rows of an index are missing.*1-1\.rows"):
            _keys(engine)
        assert "are not there" in engine.verify()[0]


def test_a_build_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """When its process cannot build, a warning is logged, queries go on, and a build that was asked for says why."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    with caplog.at_level(logging.WARNING), open_engine(tmp_path) as engine:
        _fill(engine)
        assert len(_keys(engine)) == len(QUERIES)
        with pytest.raises(StoreFailed, match="building its coarse index failed"):
            engine.build("demo", "flat")
        until = time.monotonic() + 30
        while "the upkeep of index 1 failed" not in caplog.text:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_build_that_goes_on_failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried again at every write, but after a while."""
    tries, failing = tmp_path / "tries", tmp_path / "python"
    failing.write_text(f"#!/bin/sh\necho >> {tries}\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(failing))
    with open_engine(tmp_path / "data") as engine:
        _fill(engine)
        engine.settle()
        tried = tries.read_text()
        for number in range(3):
            _put(engine, range(number * 10, number * 10 + 10), shift=1)
            engine.settle()
        assert tries.read_text() == tried == "\n"
        monkeypatch.setattr(upkeep_module, "_REST", 0.0)
        engine._upkeep._resting.clear()
        _put(engine, range(10), shift=2)
        engine.settle()
        assert tries.read_text() == "\n\n"


def test_an_index_that_is_deleted_while_its_coarse_index_is_saved(
    tmp_path: Path, filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files do not stay behind."""
    filled.build("demo", "flat")
    real = DerivedFiles.save

    def late(files: DerivedFiles, index: Index, coarse: Coarse) -> None:
        filled.delete_index("demo", "flat")
        real(files, index, coarse)

    monkeypatch.setattr(DerivedFiles, "save", late)
    filled._upkeep._extend(1, _coarse(filled))
    assert list((tmp_path / "derived").iterdir()) == []


_BUILDING = """
import subprocess, sys, threading, time
from pathlib import Path
from s3vectors_local.engine import open_engine
real = subprocess.Popen
def begun(command, **more):
    print("begun", flush=True)
    # As long as a build of millions takes, until its writer ends.
    slow = "import sys, time; from s3vectors_local.search import build; build.build = lambda *_, **__: time.sleep(600)"
    return real([command[0], "-c", slow + "; build.main(*sys.argv[1:])", *command[3:]], **more)
subprocess.Popen = begun
with open_engine(Path(sys.argv[1])) as engine:
    threading.Thread(target=engine._upkeep._try, args=[1, engine._upkeep.build]).start()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        time.sleep(2)  # as a server that answers what it was asked
"""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system does not tell what runs")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_build_ends_with_its_engine(tmp_path: Path, how: signal.Signals) -> None:
    """However the process ends that builds: by a Ctrl-C in its terminal, which is for it alone, or killed."""
    with open_engine(tmp_path) as engine:
        _fill(engine)
    command = [sys.executable, "-c", _BUILDING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        _until(lambda: len(_running(tmp_path)) == 2)
        time.sleep(2)  # it has begun
        assert len(_running(tmp_path)) == 2
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        _, said = process.communicate(timeout=30)
    assert said == b""
    _until(lambda: not _running(tmp_path))


def _running(folder: Path) -> list[Path]:
    """Return the processes that were started for a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(folder).encode() in path.read_bytes().split(b"\0"):
                found.append(path)
    return found


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_settling(tmp_path: Path) -> None:
    """A program that writes and ends can wait for the coarse index; the next one finds it."""
    with open_engine(tmp_path) as engine:
        _fill(engine)
        engine.settle()
    with open_engine(tmp_path, read_only=True) as engine:
        state = _state(engine)
        assert state.lists
        assert state.pending <= 500


def test_closing_during_a_build(tmp_path: Path) -> None:
    """An engine that is closed while something is built does not wait for it, and leaves no half-written file."""
    engine = open_engine(tmp_path)
    _fill(engine)
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 5
    assert not [path for path in (tmp_path / "derived").glob("*") if path.suffix != ".coarse"]
