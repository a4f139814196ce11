import sqlite3
from pathlib import Path
from typing import Any

import pytest

from s3vectors_local.engine import open_engine
from s3vectors_local.model import NewTextKey
from s3vectors_local.storage.store import FILE_NAME


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DELETE FROM vectors", "a record has no vector"),
        ("DELETE FROM records", "a vector has no record"),
        ("UPDATE vectors SET data = x'00'", "a vector has the wrong length"),
        ("UPDATE indexes SET count = 7", "an index counts wrong"),
        ("INSERT INTO tags VALUES (1, 99, 'k', 'v')", "a tag has no index"),
        ("UPDATE records SET filterable = x'7b'", "metadata is not JSON"),
        ("UPDATE indexes SET bucket_id = 99", "refers to a missing row of buckets"),
    ],
)
def test_damage_is_found(folder: Path, sql: str, sentence: str) -> None:
    """Whatever does not hold together is told in a sentence."""
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(sql)
    connection.commit()
    connection.close()
    with open_engine(folder, read_only=True) as engine:
        assert any(sentence in fault for fault in engine.verify())


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
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(sql)
    connection.commit()
    connection.close()
    with open_engine(folder, read_only=True) as engine:
        assert any(sentence in fault for fault in engine.verify())


def test_no_damage(folder: Path) -> None:
    """Sound data has no faults."""
    with open_engine(folder, read_only=True) as engine:
        assert engine.verify() == []
