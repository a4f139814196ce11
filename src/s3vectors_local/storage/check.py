"""Does the data hold together? Every page, every reference, every row."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from typing import Final

import numpy as np

from s3vectors_local import limits
from s3vectors_local.model import TextKey
from s3vectors_local.storage import catalogue, codec, postings, texts
from s3vectors_local.storage.slab import Rows, SlabGone, Slabs, checksums

# Each gives the rows that should not be, as (text); the sentence says what they are.
_RULES: Final = {
    "a record has no row": """
        SELECT records.id FROM records JOIN indexes ON indexes.id = index_id WHERE NOT (slot >= 0 AND slot < slots)
    """,
    "an index has rows that are neither alive nor dead": """
        SELECT indexes.id FROM indexes
        WHERE slots <> count + (SELECT count(*) FROM dead WHERE index_id = indexes.id)
    """,
    "a record's row is held for dead": """
        SELECT records.id FROM records JOIN dead USING (index_id, slot)
    """,
    "an index counts wrong": """
        SELECT indexes.id FROM indexes
        WHERE count <> (SELECT count(*) FROM records WHERE index_id = indexes.id)
    """,
    "a tag has no index": """
        SELECT index_id FROM tags WHERE index_id <> 0 AND index_id NOT IN (SELECT id FROM indexes)
    """,
    "a searchable key counts wrong": """
        SELECT text_keys.id FROM text_keys WHERE documents <> (SELECT count(*) FROM texts WHERE text_key = text_keys.id)
    """,
    "a text has no record": "SELECT record FROM texts LEFT JOIN records ON id = record WHERE id IS NULL",
    "metadata is not JSON": """
        SELECT id FROM records WHERE NOT json_valid(CAST(coalesce(filterable, '{}') AS TEXT))
            OR NOT json_valid(CAST(coalesce(other, '{}') AS TEXT))
    """,
}


def faults(c: sqlite3.Connection, slabs: Slabs) -> list[str]:
    """Return a sentence for each fault; the first ten of a kind, and the file's own faults first."""
    found = [*_file_faults(c), *_rule_faults(c), *_row_faults(c, slabs)]
    # What is derived is compared with its source only where that is sound.
    return found or list(_text_faults(c))


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


def _row_faults(c: sqlite3.Connection, slabs: Slabs) -> Iterator[str]:
    for index in catalogue.all_indexes(c):
        try:
            rows = slabs.slab(index.id, index.slab, dimension=index.dimension).read(index.slots, in_order=True)
        except SlabGone as error:
            yield f"the rows of index {index.id} are not there (verify again if it was compacted meanwhile): {error}"
            continue
        except OSError as error:
            yield f"the rows of index {index.id} cannot be read: {error}"
            continue
        sql = "SELECT id, slot FROM records WHERE index_id = ? AND slot >= 0 AND slot < ?"
        yield from islice(_row_faults_of(c.execute(sql, (index.id, index.slots)), rows), 10)


def _row_faults_of(found: sqlite3.Cursor, rows: Rows) -> Iterator[str]:
    step = max(1, limits.STREAM_BYTES // rows.dtype.itemsize)
    while places := found.fetchmany(step):
        records, slots = np.array(places, np.int64).T
        part = rows.take(slots)
        others = part["record"] != records
        for record in records[others].tolist():
            yield f"the row of a record is another record's: {record}"
        for record in records[~others & (part["crc"] != checksums(part))].tolist():
            yield f"the row of a record has changed since it was written: {record}"


def _text_faults(c: sqlite3.Connection) -> Iterator[str]:
    for (index_id,) in c.execute("SELECT DISTINCT index_id FROM text_keys").fetchall():
        for key in catalogue.text_keys(c, index_id):
            for record in islice(_otherwise(c, index_id, key), 10):
                yield f"a text is not indexed as this release does it: {record}"
            if _counted(postings.every(c, key.id)) != _counted(_turned(c, key)):
                yield f"the postings of a searchable key are not those of its texts: {key.id}"
            if any(later <= former for former, later in pairwise(postings.every(c, key.id))):
                yield f"the postings of a searchable key are out of order: {key.id}"
            if key.length != sum(terms.total() for _, terms in texts.indexed(c, key)):
                yield f"a searchable key has the wrong length: {key.id}"


def _otherwise(c: sqlite3.Connection, index_id: int, key: TextKey) -> Iterator[int]:
    sql = """
        SELECT id, filterable, other, terms FROM records LEFT JOIN texts ON text_key = ? AND record = id
        WHERE index_id = ? ORDER BY id
    """
    for record, filterable, other, terms in c.execute(sql, (key.id, index_id)):
        if terms is None and key.filled is not None and record > key.filled:
            continue  # its turn comes
        value = codec.metadata(codec.join(filterable, other)).get(key.key)
        if texts.analysed(key, value) != (terms or ""):
            yield record


def _turned(c: sqlite3.Connection, key: TextKey) -> Iterator[tuple[str, postings.Posting]]:
    for record, terms in texts.indexed(c, key):
        for term, times in terms.items():
            yield term, postings.Posting(record, times, terms.total())


def _counted(found: Iterable[tuple[str, postings.Posting]]) -> tuple[int, int]:
    """Return the same for the same postings in any order, without holding them all."""
    number = total = 0
    for each in found:
        number += 1
        total += hash(each)
    return number, total
