"""What `verify` finds: damage is done to a folder, and told in a sentence."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import open_engine
from s3vectors_local.errors import StoreError, StoreFailed
from s3vectors_local.model import NewTextKey
from s3vectors_local.operations import Call, answer
from s3vectors_local.storage.slab import FileSlab, rows
from s3vectors_local.storage.store import FILE_NAME

ROWS = "rows/1-1.rows"
RECORD = 1 << 40 | 1  # the vector `one` of the fixture
ONE = "demo/flat one"


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
            "UPDATE texts SET terms = 'one two'",
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
    _finds(folder, f"the row of a record {sentence}: {ONE}")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE records SET filterable = CAST(replace(filterable, '1', '2') AS BLOB)",
        "UPDATE records SET other = CAST('{\"more\":1}' AS BLOB)",
        "UPDATE records SET key = 'two'",
    ],
)
def test_changed_metadata_is_found(folder: Path, sql: str) -> None:
    """Another key, and metadata that is still JSON: the record is named."""
    _execute(folder, sql)
    _finds(folder, "the key or the metadata of a record has changed since it was written: demo/flat ")


def test_rows_without_a_checksum_of_metadata(folder: Path) -> None:
    """Rows of an earlier release have none: their metadata is not compared."""
    with (folder / ROWS).open("r+b") as file:
        file.seek(2 * 4 + 8 + 8 + 4)
        file.write(bytes(4))
    _execute(folder, "UPDATE records SET key = 'two'")
    with open_engine(folder, read_only=True) as engine:
        assert engine.verify() == []


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE indexes SET metric = 'cosi.e'", "the database is damaged at index demo/flat"),
        ("UPDATE indexes SET non_filterable = '['", "the database is damaged at index demo/flat"),
        ("UPDATE indexes SET mode = 'X'", "the database is damaged at index demo/flat"),
        ("UPDATE buckets SET default_mode = 'X'", None),
        ("UPDATE records SET key = CAST(x'ff' AS TEXT) WHERE key = 'two'", "Could not decode to UTF-8"),
        ("UPDATE text_keys SET language = 'xx'", "the database is damaged at index demo/flat"),
        ("UPDATE postings SET data = x'00'", "the database cannot be read"),
    ],
)
def test_what_cannot_be_decoded_is_a_fault(folder: Path, vector: Any, sql: str, told: str | None) -> None:
    """Values that nothing can be made of are faults, or errors of the store; nothing else is raised, here or later."""
    with open_engine(folder) as engine:
        engine.add_text_keys("demo", "flat", [NewTextKey("words")])
        engine.put_vectors("demo", "flat", [vector("two", 1, 2, words="one two three")])
    _execute(folder, sql)
    with open_engine(folder, read_only=True) as engine:
        try:
            found = engine.verify()
        except StoreFailed as error:
            found = [str(error)]
    assert told is None or any(told in fault for fault in found), found
    with suppress(StoreError), open_engine(folder) as engine:
        answer(engine, Call("POST", "/ListVectorBuckets"))
        reply = answer(engine, Call("POST", "/GetVectorBucket", body=b'{"vectorBucketName":"demo"}'))
        assert reply.status in {200, 500}


def test_rows_of_no_index_are_found(folder: Path) -> None:
    """A file of rows that the database never knew of is told."""
    (folder / "rows/7-1.rows").write_bytes(b"rows")
    _finds(folder, "rows/7-1.rows belongs to no index")


def test_a_sound_row_of_another_record_is_found(folder: Path) -> None:
    """A row that is whole but belongs to another record is told."""
    FileSlab(folder / ROWS, dimension=2).append(0, rows([np.ones(2, np.float32)], [RECORD + 1], dimension=2))
    _finds(folder, f"the row of a record is another record's: {ONE}")


def test_two_records_with_one_row_are_found(folder: Path, vector: Any) -> None:
    """Records that were led to the same slot: one of them has another's row."""
    with open_engine(folder) as engine:
        engine.put_vectors("demo", "flat", [vector("two", 1, 2)])
    _execute(folder, "UPDATE records SET slot = 0")
    _finds(folder, "the row of a record is another record's: demo/flat two")


def test_a_missing_file_of_rows_is_found(folder: Path) -> None:
    """A slab that was taken away is told, and a reader of its rows fails with its name."""
    (folder / ROWS).unlink()
    _finds(folder, "the rows of demo/flat are not there")
    with open_engine(folder, read_only=True) as engine, pytest.raises(StoreFailed, match=r"1-1\.rows is missing"):
        engine.get_vectors("demo", "flat", ["one"], data=True)


def test_a_cut_file_of_rows_is_found(folder: Path) -> None:
    """So is one that was cut."""
    os.truncate(folder / ROWS, 31)
    _finds(folder, "the rows of demo/flat cannot be read: ")


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
