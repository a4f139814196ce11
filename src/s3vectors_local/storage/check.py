"""Does the data hold together? Every page, every reference, every row, every checksum."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Final

import numpy as np

from s3vectors_local import limits
from s3vectors_local.model import TextKey
from s3vectors_local.storage import catalogue, codec, leftovers, postings, texts
from s3vectors_local.storage.slab import Rows, SlabGone, Slabs, checksums

_OF_RECORDS: Final = """
    SELECT coalesce(buckets.name || '/' || indexes.name || ' ' || records.key, records.id) FROM records
    LEFT JOIN indexes ON indexes.id = records.index_id LEFT JOIN buckets ON buckets.id = bucket_id
"""
_OF_INDEXES: Final = """
    SELECT coalesce(buckets.name || '/' || indexes.name, indexes.id) FROM indexes
    LEFT JOIN buckets ON buckets.id = bucket_id
"""

# Each gives what should not be, by its name where it has one; the sentence says what it is.
_RULES: Final = {
    "a record has no row": (_OF_RECORDS, "WHERE NOT (slot >= 0 AND slot < slots)"),
    "an index has rows that are neither alive nor dead": (
        _OF_INDEXES,
        "WHERE slots <> count + (SELECT count(*) FROM dead WHERE index_id = indexes.id)",
    ),
    "a record's row is held for dead": (_OF_RECORDS, "JOIN dead USING (index_id, slot)"),
    "an index counts wrong": (
        _OF_INDEXES,
        "WHERE count <> (SELECT count(*) FROM records WHERE index_id = indexes.id)",
    ),
    "a tag has no index": (
        "SELECT index_id FROM tags",
        "WHERE index_id <> 0 AND index_id NOT IN (SELECT id FROM indexes)",
    ),
    "a searchable key counts wrong": (
        "SELECT key FROM text_keys",
        "WHERE documents <> (SELECT count(*) FROM texts WHERE text_key = text_keys.id)",
    ),
    "a text has no record": ("SELECT record FROM texts", "LEFT JOIN records ON id = record WHERE id IS NULL"),
    "metadata is not JSON": (
        _OF_RECORDS,
        """
        WHERE NOT json_valid(CAST(coalesce(filterable, '{}') AS TEXT))
            OR NOT json_valid(CAST(coalesce(other, '{}') AS TEXT))
        """,
    ),
}
_MOST: Final = 10  # sentences of a kind


def faults(c: sqlite3.Connection, slabs: Slabs) -> list[str]:
    """Return a sentence for each fault; the first ten of a kind, and the file's own faults first.

    `c` is at the beginning of a transaction: files of rows are looked for before it sees anything.
    """
    files = slabs.found()
    found = [
        fault
        for look in (_file_faults(c), _rule_faults(c), _row_faults(c, slabs), _leftover_faults(c, slabs, files))
        for fault in _readable(look)
    ]
    # What is derived is compared with its source only where that is sound.
    return found or list(_readable(_text_faults(c)))


def _readable(found: Iterator[str]) -> Iterator[str]:
    try:
        yield from found
    except (sqlite3.Error, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - damaged bytes may become anything where they are decoded
        yield f"the database cannot be read: {error}"


def _file_faults(c: sqlite3.Connection) -> Iterator[str]:
    for (text,) in c.execute(f"PRAGMA integrity_check({_MOST})"):
        if text != "ok":
            yield text
    catalogue.buckets(c, prefix="", after="", limit=1)  # reads every column, and fails where the schema is another
    for table, row, parent, _ in c.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} refers to a missing row of {parent}"


def _rule_faults(c: sqlite3.Connection) -> Iterator[str]:
    for sentence, (of, wrong) in _RULES.items():
        for (what,) in c.execute(f"{of} {wrong} LIMIT {_MOST}"):
            yield f"{sentence}: {what}"


def _leftover_faults(c: sqlite3.Connection, slabs: Slabs, found: Sequence[tuple[int, int]]) -> Iterator[str]:
    for name in leftovers.unexplained(c, slabs, found)[:_MOST]:
        yield f"rows/{name} belongs to no index: the database may be an older one, or may have lost writes"


def _row_faults(c: sqlite3.Connection, slabs: Slabs) -> Iterator[str]:
    for index in catalogue.all_indexes(c):
        name = f"{index.bucket}/{index.name}"
        try:
            rows = slabs.slab(index.id, index.slab, dimension=index.dimension).read(index.slots, in_order=True)
        except SlabGone as error:
            yield f"the rows of {name} are not there (verify again if it was compacted meanwhile): {error}"
            continue
        except OSError as error:
            yield f"the rows of {name} cannot be read: {error}"
            continue
        sql = "SELECT id, slot, key, filterable, other FROM records WHERE index_id = ? AND slot >= 0 AND slot < ?"
        found = _row_faults_of(c.execute(sql, (index.id, index.slots)), rows)
        for what, key in islice(found, _MOST):
            yield f"{what}: {name} {key}"


def _row_faults_of(found: sqlite3.Cursor, rows: Rows) -> Iterator[tuple[str, str]]:
    step = max(1, limits.STREAM_BYTES // rows.dtype.itemsize)
    while some := found.fetchmany(step):
        records, slots, keys, *_ = zip(*some, strict=True)
        part = rows.take(np.array(slots, np.int64))
        described = np.array([codec.checksum(*each[2:]) for each in some], np.uint32)
        strange = part["record"] != np.array(records, np.int64)
        changed = part["crc"] != checksums(part)
        for place in np.flatnonzero(strange).tolist():
            yield "the row of a record is another record's", keys[place]
        for place in np.flatnonzero(~strange & changed).tolist():
            yield "the row of a record has changed since it was written", keys[place]
        known = ~strange & ~changed & (part["described"] != 0)
        for place in np.flatnonzero(known & (part["described"] != described)).tolist():
            yield "the key or the metadata of a record has changed since it was written", keys[place]


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
