"""Does the data hold together? Every page, every reference, every row."""

import sqlite3
from collections.abc import Iterator
from typing import Final

# Each gives the rows that should not be, as (text); the sentence says what they are.
_RULES: Final = {
    "a record has no vector": "SELECT records.id FROM records LEFT JOIN vectors USING (id) WHERE vectors.id IS NULL",
    "a vector has no record": "SELECT vectors.id FROM vectors LEFT JOIN records USING (id) WHERE records.id IS NULL",
    "a vector has the wrong length": """
        SELECT vectors.id FROM vectors JOIN records USING (id) JOIN indexes ON indexes.id = index_id
        WHERE length(data) <> 4 * dimension
    """,
    "an index counts wrong": """
        SELECT indexes.id FROM indexes
        WHERE count <> (SELECT count(*) FROM records WHERE index_id = indexes.id)
    """,
    "a tag has no index": """
        SELECT index_id FROM tags WHERE index_id <> 0 AND index_id NOT IN (SELECT id FROM indexes)
    """,
    "metadata is not JSON": """
        SELECT id FROM records WHERE NOT json_valid(CAST(coalesce(filterable, '{}') AS TEXT))
            OR NOT json_valid(CAST(coalesce(other, '{}') AS TEXT))
    """,
}


def faults(c: sqlite3.Connection) -> list[str]:
    """Return a sentence for each fault; the first ten of a kind, and the file's own faults first."""
    return [*_file_faults(c), *_rule_faults(c)]


def _file_faults(c: sqlite3.Connection) -> Iterator[str]:
    for (text,) in c.execute("PRAGMA integrity_check(10)"):
        if text != "ok":
            yield text
    for table, row, parent, _ in c.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} refers to a missing row of {parent}"


def _rule_faults(c: sqlite3.Connection) -> Iterator[str]:
    for sentence, sql in _RULES.items():
        for (id_,) in c.execute(f"{sql} LIMIT 10"):
            yield f"{sentence}: {id_}"
