"""What `verify` finds: damage is done to a folder, and told in a sentence."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import open_engine
from s3vectors_local.errors import StoreFailed
from s3vectors_local.model import NewTextKey
from s3vectors_local.storage.slab import FileSlab, rows
from s3vectors_local.storage.store import FILE_NAME

ROWS = "rows/1-1.rows"
RECORD = 1 << 40 | 1  # the vector `one` of the fixture


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DELETE FROM records", "an index counts wrong"),
        ("UPDATE records SET slot = 1", "a record has no row"),
        ("UPDATE records SET slot = -1", "a record has no row"),
        ("UPDATE indexes SET count = 7", "an index counts wrong"),
        ("UPDATE indexes SET slots = 7", "an index has rows that are neither alive nor dead"),
        ("INSERT INTO dead VALUES (1, 1, 1)", "an index has rows that are neither alive nor dead"),
        ("INSERT INTO dead VALUES (1, 1, 0)", "a record's row is held for dead"),
        ("INSERT INTO tags VALUES (1, 99, 'k', 'v')", "a tag has no index"),
        ("UPDATE records SET filterable = x'7b'", "metadata is not JSON"),
        ("UPDATE indexes SET bucket_id = 99", "refers to a missing row of buckets"),
    ],
)
def test_damage_is_found(folder: Path, sql: str, sentence: str) -> None:
    """Whatever does not hold together is told in a sentence."""
    _execute(folder, sql)
    _finds(folder, sentence)


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            'UPDATE records SET filterable = \'{"words":"other words"}\'',
            "a text is not indexed as this release does it",
        ),
        ("DELETE FROM texts", "a searchable key counts wrong"),
        ("UPDATE text_keys SET documents = 7", "a searchable key counts wrong"),
        ("UPDATE text_keys SET length = 7", "a searchable key has the wrong length"),
        ("DELETE FROM postings WHERE term = 'two'", "the postings of a searchable key are not those of its texts"),
        ("UPDATE postings SET first = first + 1 WHERE term = 'two'", "are not those of its texts"),
        (
            "UPDATE postings SET data = CAST(data || data AS BLOB) WHERE term = 'two'",
            "the postings of a searchable key are out of order",
        ),
        ("INSERT INTO texts VALUES (1, 5, '{}')", "a text has no record"),
        ("DELETE FROM indexes", "refers to a missing row of indexes"),
    ],
)
def test_damage_of_the_text_index_is_found(folder: Path, vector: Any, sql: str, sentence: str) -> None:
    """Texts, postings and what BM25 counts are compared with the metadata."""
    with open_engine(folder) as engine:
        engine.add_text_keys("demo", "flat", [NewTextKey("words")])
        engine.put_vectors("demo", "flat", [vector("two", 1, 2, words="one two three")])
        assert engine.verify() == []
    _execute(folder, sql)
    _finds(folder, sentence)


@pytest.mark.parametrize(
    "bit", [0, 8 * 4 + 7, 8 * 8, 8 * 16, 8 * 24 + 3], ids=["first", "data", "record", "length", "crc"]
)
def test_a_flipped_bit_in_a_row_is_found(folder: Path, bit: int) -> None:
    """One bit of a row is another: the row is named by its record."""
    with (folder / ROWS).open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
    sentence = "is another record's" if bit // 64 == 1 else "has changed since it was written"
    _finds(folder, f"the row of a record {sentence}: {RECORD}")


def test_a_sound_row_of_another_record_is_found(folder: Path) -> None:
    """A row that is whole but belongs to another record is told."""
    FileSlab(folder / ROWS, dimension=2).append(0, rows([np.ones(2, np.float32)], [RECORD + 1], dimension=2))
    _finds(folder, f"the row of a record is another record's: {RECORD}")


def test_two_records_with_one_row_are_found(folder: Path, vector: Any) -> None:
    """Records that were led to the same slot: one of them has another's row."""
    with open_engine(folder) as engine:
        engine.put_vectors("demo", "flat", [vector("two", 1, 2)])
    _execute(folder, "UPDATE records SET slot = 0")
    _finds(folder, f"the row of a record is another record's: {RECORD + 1}")


def test_a_missing_file_of_rows_is_found(folder: Path) -> None:
    """A slab that was taken away is told, and a reader of its rows fails with its name."""
    (folder / ROWS).unlink()
    _finds(folder, "the rows of index 1 are not there")
    with open_engine(folder, read_only=True) as engine, pytest.raises(StoreFailed, match=r"1-1\.rows is missing"):
        engine.get_vectors("demo", "flat", ["one"], data=True)


def test_a_cut_file_of_rows_is_found(folder: Path) -> None:
    """So is one that was cut."""
    os.truncate(folder / ROWS, 31)
    _finds(folder, "the rows of index 1 cannot be read: ")


def test_dead_rows_are_no_fault(folder: Path, vector: Any) -> None:
    """Rows of overwritten and deleted vectors are counted, and what is in them is nobody's concern."""
    with open_engine(folder) as engine:
        engine.put_vectors("demo", "flat", [vector("one", 3, 4), vector("two", 5, 6)])
        engine.delete_vectors("demo", "flat", ["two"])
        assert (engine.get_index("demo", "flat").slots, engine.get_index("demo", "flat").count) == (3, 1)
    with (folder / ROWS).open("r+b") as file:
        file.write(b"\xff" * 32)
    with open_engine(folder, read_only=True) as engine:
        assert engine.verify() == []


def test_ten_of_a_kind(folder: Path, vector: Any) -> None:
    """Of one kind of fault the first ten are told."""
    with open_engine(folder) as engine:
        engine.put_vectors("demo", "flat", [vector(str(number), 1, 2) for number in range(30)])
    with (folder / ROWS).open("r+b") as file:
        file.write(bytes(32 * 31))
    with open_engine(folder, read_only=True) as engine:
        assert len(engine.verify()) == 10


def test_no_damage(folder: Path) -> None:
    """Sound data has no faults."""
    with open_engine(folder, read_only=True) as engine:
        assert engine.verify() == []


def _execute(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(sql)
    connection.commit()
    connection.close()


def _finds(folder: Path, sentence: str) -> None:
    with open_engine(folder, read_only=True) as engine:
        assert any(sentence in fault for fault in engine.verify())
