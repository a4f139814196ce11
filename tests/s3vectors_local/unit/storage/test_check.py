import sqlite3
from pathlib import Path

import pytest

from s3vectors_local.engine import open_engine
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


def test_no_damage(folder: Path) -> None:
    """Sound data has no faults."""
    with open_engine(folder, read_only=True) as engine:
        assert engine.verify() == []
