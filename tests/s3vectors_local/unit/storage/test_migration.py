"""Folders written by older releases: opened, brought up to date in place, or left alone with a clear word."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local import limits
from s3vectors_local.engine import open_engine
from s3vectors_local.errors import StoreError
from s3vectors_local.model import NewTextKey, Query, QueryText
from s3vectors_local.storage import schema, slab
from s3vectors_local.storage.slab import FileSlab
from s3vectors_local.storage.store import FILE_NAME

# Written once, by the releases themselves, and kept as they are.
FORMATS = Path(__file__).parent / "formats"
# A writer whose process ends without a word when the rows of the first index are moved, but before the commit.
KILLED = """
import os, sys
from pathlib import Path
from s3vectors_local.engine import open_engine
from s3vectors_local.storage import slab
real = slab.FileSlab.append
def append(self, slot, new):
    real(self, slot, new)
    os._exit(9)
slab.FileSlab.append = append
open_engine(Path(sys.argv[1]))
"""


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a folder of each older format."""
    return _made(tmp_path, request.param)


def _made(folder: Path, number: int) -> Path:
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.executescript((FORMATS / f"{number}.sql").read_text())
    connection.close()
    if (FORMATS / f"{number}").is_dir():
        shutil.copytree(FORMATS / f"{number}", folder / "rows")
    return folder


def test_first_format_is_migrated(tmp_path: Path, vector: Any) -> None:
    """A writer converts it once: everything is there, sound, and can be made text-searchable."""
    old = _made(tmp_path, 1)
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


def test_second_format_is_migrated(tmp_path: Path, vector: Any) -> None:
    """Rows are moved, those of overwritten vectors too; text search and tags stay, and writing goes on."""
    with open_engine(_made(tmp_path, 2)) as engine:
        assert engine.verify() == []
        index = engine.get_index("demo", "flat")
        assert (index.count, index.slots, index.slab) == (3, 3, 1)
        assert engine.get_index("demo", "empty").slots == 0
        assert engine.get_tags(engine.owner.index_arn("demo", "flat")) == {"team": "a"}
        found = engine.get_vectors("demo", "flat", ["one", "two", "gone", "four"], data=True, metadata=True)
        assert [(each.key, each.metadata) for each in found] == [
            ("one", b'{"n":1,"text":"a red cat"}'),
            ("two", b'{"text":"a green bird"}'),
            ("four", b'{"text":"a dog"}'),
        ]
        assert [each.data.tolist() for each in found if each.data is not None] == [[1, 2], [3, 0], [4, 0]]
        engine.put_vectors("demo", "flat", [vector("one", 0, 0, text="one more dog")])
        engine.put_vectors("demo", "empty", [vector("first", 1, 2, 3)])
    with open_engine(tmp_path) as engine:
        page, _ = engine.query_vectors("demo", "flat", Query(None, 9, texts=(QueryText("text", "dog"),)))
        assert {hit.key for hit in page.items} == {"one", "four"}
        page, _ = engine.query_vectors("demo", "flat", Query(np.zeros(2, np.float32), 9))
        assert [(hit.key, hit.distance) for hit in page.items] == [("one", 0), ("two", 9), ("four", 16)]
        assert engine.verify() == []


def test_third_format_is_migrated(tmp_path: Path, vector: Any) -> None:
    """Everything is where it was, and a key that is added is built by the same steps as in a new folder."""
    with open_engine(_made(tmp_path, 3)) as engine:
        assert engine.verify() == []
        assert [key.is_building for key in engine.get_index("demo", "flat").texts] == [False]
        engine.put_vectors("demo", "flat", [vector("one", 0, 0, text="one more dog", title="dogs")])
        engine.add_text_keys("demo", "flat", [NewTextKey("title")])
    with open_engine(tmp_path) as engine:
        for key, word, found in (("text", "dog", {"one", "four"}), ("title", "dogs", {"one"})):
            page, _ = engine.query_vectors("demo", "flat", Query(None, 9, texts=(QueryText(key, word),)))
            assert {hit.key for hit in page.items} == found
        assert engine.verify() == []
    assert _version(tmp_path) == schema.FORMAT_VERSION
    assert _tables(tmp_path)["text_keys"] == _tables(_new(tmp_path / "new"))["text_keys"]


def test_many_rows_are_moved_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of more rows than are moved at once is whole afterwards."""
    connection = sqlite3.connect(_made(tmp_path, 2) / FILE_NAME)
    ids = range(2 << 40 | 1, 2 << 40 | 101)
    connection.executemany("INSERT INTO records (id, index_id, key) VALUES (?, 2, ?)", [(i, f"k{i}") for i in ids])
    data = np.arange(300, dtype="<f4").reshape(100, 3) + 1
    connection.executemany("INSERT INTO vectors VALUES (?, ?)", zip(ids, map(bytes, data), strict=True))
    connection.execute("UPDATE indexes SET count = 100, last_sequence = 100 WHERE id = 2")
    connection.commit()
    connection.close()
    monkeypatch.setattr(limits, "STREAM_BYTES", 12 * 7)
    with open_engine(tmp_path) as engine:
        assert engine.verify() == []
        found = engine.list_vectors("demo", "empty", data=True).items
        np.testing.assert_array_equal([each.data for each in found], data)


def test_readers_do_not_migrate(old: Path) -> None:
    """A reader may not write, so it says what to do; the folder stays as it was."""
    before = _version(old)
    with pytest.raises(StoreError, match="open it for writing once"):
        open_engine(old, read_only=True)
    assert _version(old) == before
    assert not (old / "rows").exists()


def test_migrating_is_all_or_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails at its end leaves the old format, and the next one succeeds."""
    before = _version(old), _tables(old)
    monkeypatch.setattr(schema, "SLAB_TABLES", schema.SLAB_TABLES + "CREATE TABLE records (x);\n")
    with pytest.raises(StoreError, match="already exists"):
        open_engine(old)
    assert (_version(old), _tables(old)) == before
    monkeypatch.undo()
    with open_engine(old) as engine:
        assert engine.verify() == []
    assert _version(old) == schema.FORMAT_VERSION


def test_a_migration_without_room_leaves_the_old_format(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told at the start; what was there is there, and with room the next start converts it."""
    before = _version(old), _tables(old)

    def full(self: FileSlab, slot: int, new: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slab.FileSlab, "append", full)
    with pytest.raises(StoreError, match="No space left on device"):
        open_engine(old)
    assert (_version(old), _tables(old)) == before
    monkeypatch.undo()
    with open_engine(old) as engine:
        assert engine.verify() == []


def test_a_killed_migration_begins_again(old: Path) -> None:
    """A process killed between rows and commit leaves the old format and some rows; the next start begins again."""
    before = _version(old)
    assert subprocess.run([sys.executable, "-c", KILLED, str(old)], check=False).returncode == 9
    assert (_version(old), (old / "rows/1-1.rows").exists()) == (before, True)
    # As if the killed one had got further, with other rows.
    with (old / "rows/1-1.rows").open("r+b") as file:
        file.write(b"\xff" * 5000)
    with open_engine(old) as engine:
        assert engine.verify() == []
        found = engine.get_vectors("demo", "flat", ["one", "two"], data=True)
        assert next(each.data.tolist() for each in found if each.data is not None) == [1, 2]


def test_the_same_tables_either_way(old: Path, tmp_path: Path) -> None:
    """A migrated folder has the tables of a new one."""
    open_engine(old).close()
    assert _tables(old) == _tables(_new(tmp_path / "new"))


def test_what_is_not_named_is_not_kept(old: Path, folder: Path) -> None:
    """Files that lie in `rows` before a migration are of nobody."""
    shutil.copytree(folder / "rows", old / "rows")
    shutil.copy(folder / "rows/1-1.rows", old / "rows/1-2.rows")
    with open_engine(old) as engine:
        assert engine.verify() == []
    assert [path.name for path in (old / "rows").iterdir()] == ["1-1.rows"]


def _new(folder: Path) -> Path:
    open_engine(folder).close()
    return folder


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
