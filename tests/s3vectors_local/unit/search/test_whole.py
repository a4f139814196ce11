"""Codes of all components: they choose what is compared exactly, lose nothing that was measured, and can go missing."""

import errno
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import StoreFailed
from s3vectors_local.model import Float32, Metric, NewIndex, NewVector, Query
from s3vectors_local.search import derived, staleness
from s3vectors_local.search.coarse import Depth, Tuning

WIDE = 500
COUNT = 3_000

pytestmark = pytest.mark.xdist_group("whole")  # one worker makes what all of them copy


def _rows(seed: int, count: int) -> Float32:
    """Return rows whose first components hold the most, in groups."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((60, WIDE))
    fall = (1 + np.arange(WIDE) / 40) ** -0.5
    which = generator.integers(0, 60, count)
    return ((centres[which] + 0.7 * generator.standard_normal((count, WIDE))) * fall).astype(np.float32)


def _filled(path: Path | None, rows: Float32, metric: Metric) -> Engine:
    engine = open_engine(path)
    engine.create_bucket("demo")
    engine.create_index("demo", NewIndex("wide", WIDE, metric))
    for start in range(0, len(rows), 500):
        part = [NewVector(f"k{start + n}", row, {"n": start + n}) for n, row in enumerate(rows[start : start + 500])]
        engine.put_vectors("demo", "wide", part)
    engine.build("demo", "wide")
    return engine


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an index `demo/wide` of `_rows(1, COUNT)`, built; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("wide")
    _filled(folder, _rows(1, COUNT), Metric.COSINE).close()
    return folder


@pytest.fixture
def folder(_made: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder that is made once."""
    shutil.copytree(_made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _recall(engine: Engine, rows: Float32, queries: Float32, metric: Metric, k: int) -> float:
    found = 0
    for query in queries:
        if metric is Metric.COSINE:
            order = np.argsort(-(rows @ query) / np.linalg.norm(rows, axis=1), kind="stable")
        else:
            order = np.argsort(((rows.astype(np.float64) - query) ** 2).sum(axis=1), kind="stable")
        page, _ = engine.query_vectors("demo", "wide", Query(query, k))
        found += len({hit.key for hit in page.items} & {f"k{n}" for n in order[:k].tolist()})
    return found / (k * len(queries))


def _coarse(engine: Engine) -> Any:
    return engine._search.coarse(engine.get_index("demo", "wide"))


def _opened(folder: Path) -> Engine:
    """Return an engine that has the coarse index of a folder, and its codes, in use."""
    engine = open_engine(folder)
    assert _coarse(engine).whole is not None
    return engine


@pytest.mark.parametrize("metric", list(Metric))
def test_they_lose_nothing(metric: Metric) -> None:
    """Few rows are compared exactly, and recall stays at the target, for ten results and for a hundred."""
    rows, queries = _rows(1, COUNT), _rows(2, 50)
    with _filled(None, rows, metric) as engine:
        coarse = _coarse(engine)
        first, deep = coarse.tuning.kept
        assert 10 <= first < coarse.tuning.first.candidates
        assert deep >= 100
        assert _recall(engine, rows, queries, metric, 10) >= 0.99
        assert _recall(engine, rows, queries, metric, 100) >= 0.95


def test_where_they_would_lose() -> None:
    """Far from the origin 8 bits tell neighbours no longer apart: this is measured, and they are not used."""
    rows = _rows(1, COUNT) + 5_000
    with _filled(None, rows, Metric.EUCLIDEAN) as engine:
        assert _coarse(engine).tuning.kept == (0, 0)
        assert _recall(engine, rows, rows[:30] + np.float32(0.01), Metric.EUCLIDEAN, 10) >= 0.99


def test_rows_after_the_build_have_none() -> None:
    """What came after the build is compared exactly, and found beside what came before."""
    rows, later = _rows(1, COUNT), _rows(3, 200)
    with _filled(None, rows, Metric.COSINE) as engine:
        engine.put_vectors("demo", "wide", [NewVector(f"k{COUNT + n}", row) for n, row in enumerate(later)])
        assert _recall(engine, np.concatenate([rows, later]), _rows(4, 30), Metric.COSINE, 10) >= 0.98
        for number in (0, 77, 199):
            page, _ = engine.query_vectors("demo", "wide", Query(later[number], 1))
            assert [hit.key for hit in page.items] == [f"k{COUNT + number}"]


@pytest.mark.parametrize("damage", ["deleted", "cut", "flipped"])
def test_their_file_is_never_needed(folder: Path, damage: str) -> None:
    """Without them, or with damaged ones, the coarse index is as good as none: every row is compared."""
    rows, queries = _rows(1, COUNT), _rows(2, 20)
    (path,) = (folder / "derived").glob("*.whole")
    content = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-1])
    else:
        path.write_bytes(content[:-99] + bytes([content[-99] ^ 1]) + content[-98:])
    with open_engine(folder, read_only=True) as engine:
        assert _coarse(engine) is None
        assert _recall(engine, rows, queries, Metric.COSINE, 10) == 1.0


def _extended(engine: Engine, rows: Float32, start: int) -> None:
    """Put rows, and let them be put into the lists and get codes of all components."""
    engine.put_vectors("demo", "wide", [NewVector(f"k{start + n}", row) for n, row in enumerate(rows)])
    engine._upkeep._extend(engine.get_index("demo", "wide").id, _coarse(engine))


def test_what_came_is_added_to_their_file(folder: Path) -> None:
    """They grow in the file that is there; a reader that has it open, and one that comes later, use what was added."""
    rows, later, queries = _rows(1, COUNT), _rows(3, 400), _rows(4, 30)
    every = np.concatenate([rows, later])
    with _opened(folder) as engine, open_engine(folder, read_only=True) as reader:
        (path,) = (folder / "derived").glob("*.whole")
        before = _coarse(reader)
        _extended(engine, later[:300], COUNT)
        _extended(engine, later[300:], COUNT + 300)
        assert list((folder / "derived").glob("*.whole")) == [path]
        until = time.monotonic() + 30
        while len(_coarse(reader).whole) < COUNT + 400:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len(before.whole) == COUNT
        for each in (engine, reader):
            assert _recall(each, every, queries, Metric.COSINE, 10) >= 0.98
    with open_engine(folder, read_only=True) as later_reader:
        np.testing.assert_array_equal(_coarse(later_reader).whole.values[:COUNT], before.whole.values)
        assert _recall(later_reader, every, queries, Metric.COSINE, 10) >= 0.98


def test_an_addition_that_was_not_finished(folder: Path) -> None:
    """What a crash left behind the codes that count is no part of them, and the next addition takes its place."""
    later = _rows(3, 300)
    (path,) = (folder / "derived").glob("*.whole")
    with path.open("ab") as file:
        file.write(b"\x55" * (WIDE * 100 + 7))
    with _opened(folder) as engine:
        assert len(_coarse(engine).whole) == COUNT
        _extended(engine, later, COUNT)
        expected = _coarse(engine).encoder.encode_whole(later, np.linalg.norm(later.astype(np.float64), axis=1))
        np.testing.assert_array_equal(_coarse(engine).whole.values[COUNT:], expected.values)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot keep room for a file")
def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for an addition is an error, not the end of the process, and what is there stays in use."""
    rows, later = _rows(1, COUNT), _rows(3, 300)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with _opened(folder) as engine:
        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            _extended(engine, later, COUNT)
        assert not engine._upkeep._try(1, lambda _: full())
        with pytest.raises(OSError, match="No space left"):
            engine._upkeep._files.room(engine.get_index("demo", "wide"), (9, 9))  # type: ignore[union-attr]
        assert len(list((folder / "derived").glob("*.whole"))) == 1
        monkeypatch.undo()
        assert _recall(engine, np.concatenate([rows, later]), _rows(4, 20), Metric.COSINE, 10) >= 0.98
        engine._upkeep._extend(1, _coarse(engine))
        assert len(_coarse(engine).whole) == COUNT + 300


def test_a_build_that_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has written goes at once, not at the next start: each one takes as much room as the one in use."""
    with _opened(folder) as engine:
        before = sorted((folder / "derived").iterdir())
        waited = engine._upkeep._meanwhile

        def killed(process: subprocess.Popen[bytes], building: int) -> bytes:
            until = time.monotonic() + 60
            while len(list((folder / "derived").glob("*.whole"))) < 2:
                assert time.monotonic() < until
                time.sleep(0.01)
            process.kill()
            return waited(process, building)

        monkeypatch.setattr(engine._upkeep, "_meanwhile", killed)
        with pytest.raises(StoreFailed, match=r"failed \(-9\)"):
            engine.build("demo", "wide")
        assert sorted((folder / "derived").iterdir()) == before


def test_a_full_disk_after_a_compaction(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the coarse index of the new slab cannot be saved, its codes of all components do not stay behind."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with _opened(folder) as engine:
        before = sorted((folder / "derived").iterdir())
        engine.delete_vectors("demo", "wide", ["k1", "k2"])
        monkeypatch.setattr(derived, "write", full)
        with pytest.raises(OSError, match="No space left"):
            engine.compact("demo", "wide")
        assert sorted((folder / "derived").iterdir()) == before


def test_an_addition_that_is_damaged(folder: Path) -> None:
    """The checksum goes on over what was added: where that is damaged, every row is compared."""
    rows, later = _rows(1, COUNT), _rows(3, 300)
    with _opened(folder) as engine:
        _extended(engine, later, COUNT)
    (path,) = (folder / "derived").glob("*.whole")
    content = bytearray(path.read_bytes())
    content[-WIDE] ^= 1
    path.write_bytes(content)
    with open_engine(folder, read_only=True) as engine:
        assert _coarse(engine) is None
        assert _recall(engine, np.concatenate([rows, later]), _rows(2, 20), Metric.COSINE, 10) == 1.0


@pytest.mark.parametrize("deleted", ["file", "files", "folder"])
def test_their_file_is_deleted_while_it_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch, deleted: str) -> None:
    """What came cannot be added to it: a new one is built, and whoever opens it has codes of every row."""
    for name, few in (("COMPARED_BYTES", 0), ("_WAITING_ROWS", 100)):
        monkeypatch.setattr(staleness, name, few)
    rows, later = _rows(1, COUNT), _rows(3, 300)
    every = np.concatenate([rows, later])
    with _opened(folder) as engine:
        if deleted == "folder":
            shutil.rmtree(folder / "derived")
        else:
            for path in (folder / "derived").glob("*.whole" if deleted == "file" else "*"):
                path.unlink()
        engine.put_vectors("demo", "wide", [NewVector(f"k{COUNT + n}", row) for n, row in enumerate(later)])
        engine.refresh("demo", "wide")
    with open_engine(folder, read_only=True) as engine:
        whole = _coarse(engine).whole
        expected = _coarse(engine).encoder.encode_whole(every, np.linalg.norm(every.astype(np.float64), axis=1))
        np.testing.assert_array_equal(whole.values, expected.values)
        assert _recall(engine, every, _rows(4, 20), Metric.COSINE, 10) >= 0.98


def test_one_file_an_index(folder: Path) -> None:
    """A new build takes the place of the one before; deleting the index removes both files; so does a start."""
    with _opened(folder) as engine:
        engine.delete_vectors("demo", "wide", ["k1", "k2"])
        engine.build("demo", "wide")
        assert sorted(path.suffix for path in (folder / "derived").iterdir()) == [".coarse", ".whole"]
        engine.delete_index("demo", "wide")
        assert list((folder / "derived").iterdir()) == []
    (folder / "derived" / "7-9.whole").write_bytes(b"left by a build that did not end")
    open_engine(folder).close()
    assert list((folder / "derived").iterdir()) == []


def test_between_what_was_measured() -> None:
    """How many are kept grows with k: between what was measured for 10 and for 100, and beyond in proportion."""
    depth = Depth(1, 1, 1)
    tuning = Tuning(depth, depth, depth, kept=(15, 150))
    assert [tuning.kept_for(k) for k in (1, 10, 55, 100, 200)] == [15, 15, 83, 150, 300]
