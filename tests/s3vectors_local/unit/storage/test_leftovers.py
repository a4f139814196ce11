"""What a writer finds in a folder beside the rows of its indexes: it goes where it may, else nothing is changed."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from s3vectors_local.engine import open_engine
from s3vectors_local.errors import StoreError
from s3vectors_local.storage.store import FILE_NAME

ROWS = "rows/1-1.rows"


def _refused(folder: Path, told: str) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.rows")}
    with pytest.raises(StoreError, match=told):
        open_engine(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.rows")} == before


def _forgets_the_log(folder: Path) -> None:
    for end in ("-wal", "-shm"):
        (folder / f"{FILE_NAME}{end}").unlink(missing_ok=True)


def test_what_a_compaction_left(folder: Path) -> None:
    """The slab before the one in use, and one that was begun, are removed."""
    with open_engine(folder) as engine:
        engine.put_vectors("demo", "flat", engine_vectors(engine))
        engine.compact("demo", "flat")
    shutil.copy(folder / "rows/1-2.rows", folder / ROWS)
    (folder / "rows/1-3.rows").write_bytes(b"half")
    with open_engine(folder) as engine:
        assert engine.verify() == []
    assert [path.name for path in (folder / "rows").iterdir()] == ["1-2.rows"]


def engine_vectors(engine: Any) -> list[Any]:
    """Return the vectors again, so that there is something to compact."""
    from s3vectors_local.model import NewVector

    (stored,) = engine.get_vectors("demo", "flat", ["one"], data=True)
    return [NewVector("one", stored.data, {})]


def test_what_a_deletion_left(folder: Path) -> None:
    """The rows of an index that was deleted are removed."""
    kept = (folder / ROWS).read_bytes()
    with open_engine(folder) as engine:
        engine.delete_index("demo", "flat")
    (folder / ROWS).write_bytes(kept)
    with open_engine(folder):
        assert not (folder / ROWS).exists()


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_rows_without_a_database(folder: Path, left: str) -> None:
    """Where the database is missing or empty, rows are never removed; with it back, all is there."""
    kept = (folder / FILE_NAME).read_bytes()
    (folder / FILE_NAME).unlink()
    if left == "an empty file":
        (folder / FILE_NAME).touch()
    _forgets_the_log(folder)
    _refused(folder, r"the database is missing or empty, but there are rows: rows/1-1\.rows; nothing was changed")
    assert (folder / FILE_NAME).exists() == (left == "an empty file")
    (folder / FILE_NAME).write_bytes(kept)
    with open_engine(folder) as engine:
        assert engine.verify() == []


def test_rows_that_the_database_never_knew(folder: Path) -> None:
    """A database that lost what was written last, or is another one, is not used beside rows that it does not name."""
    (folder / "rows/2-1.rows").write_bytes(b"rows")
    _refused(folder, r"rows/2-1\.rows belong to no index in the database.*nothing was changed")
    (folder / "rows/2-1.rows").unlink()
    with open_engine(folder) as engine:
        assert engine.verify() == []


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_an_index_without_its_rows(folder: Path, damage: str) -> None:
    """Where those in use are not whole, others of the same index are kept: they may be all that is left."""
    shutil.copy(folder / ROWS, folder / "rows/1-2.rows")
    if damage == "cut":
        os.truncate(folder / ROWS, 1)
    else:
        (folder / ROWS).unlink()
    _refused(folder, r"rows/1-2\.rows belong to no index")


def test_a_damaged_database(folder: Path) -> None:
    """Nothing is removed by what a damaged database says."""
    with open_engine(folder) as engine:
        for number in range(60):
            engine.put_tags(engine.owner.bucket_arn("demo"), {f"k{number % 40}": "x" * 200})
    (folder / "rows/1-2.rows").write_bytes(b"left by a compaction")
    _forgets_the_log(folder)
    content = bytearray((folder / FILE_NAME).read_bytes())
    content[-2_000:] = os.urandom(2_000)  # of the last page
    (folder / FILE_NAME).write_bytes(content)
    _refused(folder, "damaged|malformed")
