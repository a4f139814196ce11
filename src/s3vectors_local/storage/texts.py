"""The text index: which keys are searchable, and what is found under them. In the caller's transaction, as records are.

What was indexed of each record is kept beside the postings, so that it can be taken out again exactly, whatever the
analyzers of a later release make of the same text.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from s3vectors_local.model import Index, Metadata, NewTextKey, TextKey
from s3vectors_local.storage import codec, postings, records
from s3vectors_local.storage.postings import Posting
from s3vectors_local.text import analysis, bm25

FILL_RECORDS: Final = 2_000
"""Indexed in one transaction, about 0.2 s. More: fewer blocks are written twice, and writers wait longer."""


def configure(c: sqlite3.Connection, index: Index, keys: Iterable[NewTextKey]) -> None:
    """Make keys searchable, and index what the vectors hold under them: at once where they are few, else by `fill`."""
    for new in keys:
        sql = "INSERT INTO text_keys (index_id, key, language, filled) VALUES (?, ?, ?, 0) RETURNING id"
        (id_,) = c.execute(sql, (index.id, new.key, new.language)).fetchone()
        if index.count < FILL_RECORDS:
            fill(c, index, TextKey(id_, new.key, new.language, 0, 0, filled=0))


def fill(c: sqlite3.Connection, index: Index, key: TextKey) -> None:
    """Index the next records that were there before the key was; after the last ones the key is built.

    What is written meanwhile is indexed by `put` and `delete`, and to index it again changes nothing.
    """
    found = records.documents(c, index, after=key.filled or 0)
    batch = {record: codec.metadata(text).get(key.key) for record, text in islice(found, FILL_RECORDS)}
    _replace(c, key, batch)
    filled = max(batch) if len(batch) == FILL_RECORDS else None
    c.execute("UPDATE text_keys SET filled = ? WHERE id = ?", (filled, key.id))


def unconfigure(c: sqlite3.Connection, keys: Iterable[TextKey]) -> None:
    """Make keys no longer searchable."""
    for key in keys:
        c.execute("DELETE FROM postings WHERE text_key = ?", (key.id,))
        c.execute("DELETE FROM texts WHERE text_key = ?", (key.id,))
        c.execute("DELETE FROM text_keys WHERE id = ?", (key.id,))


def put(c: sqlite3.Connection, index: Index, documents: Mapping[int, Metadata]) -> None:
    """Index the metadata of records that were written, in place of what was indexed of them before."""
    for key in index.texts:
        _replace(c, key, {record: metadata.get(key.key) for record, metadata in documents.items()})


def delete(c: sqlite3.Connection, index: Index, deleted: Sequence[int]) -> None:
    """Take records out."""
    for key in index.texts:
        _replace(c, key, dict.fromkeys(deleted))


def rank(c: sqlite3.Connection, key: TextKey, text: str) -> bm25.Ranking:
    """Return the records that hold a term of the text, with their BM25 scores."""
    weights = Counter(analysis.query_terms(text, language=key.language))
    found = [(postings.read(c, key.id, term), weight) for term, weight in weights.items()]
    return bm25.rank(found, documents=key.documents, length=key.length)


def indexed(c: sqlite3.Connection, key: TextKey) -> Iterator[tuple[int, Counter[str]]]:
    """Yield what is indexed of each record, in order."""
    for record, text in c.execute("SELECT record, terms FROM texts WHERE text_key = ? ORDER BY record", (key.id,)):
        yield record, _counted(text)


def analysed(key: TextKey, value: Any) -> str:
    """Return what is to be indexed of a metadata value: its terms in their order, parted by spaces."""
    return " ".join(analysis.document_terms(value, language=key.language))


def _replace(c: sqlite3.Connection, key: TextKey, values: Mapping[int, Any]) -> None:
    """Index the values of records; what is indexed already and stays the same costs nothing more."""
    old = _stored(c, key, values)
    new = {record: text for record, value in values.items() if (text := analysed(key, value))}
    _take_out(c, key, {record: text for record, text in old.items() if new.get(record) != text})
    _bring_in(c, key, {record: text for record, text in new.items() if old.get(record) != text})


def _stored(c: sqlite3.Connection, key: TextKey, wanted: Iterable[int]) -> dict[int, str]:
    sql = "SELECT terms FROM texts WHERE text_key = ? AND record = ?"
    found = ((record, c.execute(sql, (key.id, record)).fetchone()) for record in wanted)
    return {record: row[0] for record, row in found if row}


def _take_out(c: sqlite3.Connection, key: TextKey, gone: Mapping[int, str]) -> None:
    total = 0
    for record, text in gone.items():
        terms = _counted(text)
        total += terms.total()
        for term in terms:
            postings.remove(c, key.id, term, record)
    c.executemany("DELETE FROM texts WHERE text_key = ? AND record = ?", [(key.id, record) for record in gone])
    _count(c, key, documents=-len(gone), length=-total)


def _bring_in(c: sqlite3.Connection, key: TextKey, come: Mapping[int, str]) -> None:
    found: dict[str, list[Posting]] = defaultdict(list)
    total = 0
    for record in sorted(come):
        terms = _counted(come[record])
        length = terms.total()
        total += length
        for term, times in terms.items():
            found[term].append(Posting(record, times, length))
    for term in sorted(found):  # in the order of the B-tree: neighbours share pages
        postings.add(c, key.id, term, found[term])
    c.executemany("INSERT INTO texts VALUES (?, ?, ?)", [(key.id, record, text) for record, text in come.items()])
    _count(c, key, documents=len(come), length=total)


def _counted(text: str) -> Counter[str]:
    return Counter(text.split(" "))


def _count(c: sqlite3.Connection, key: TextKey, *, documents: int, length: int) -> None:
    sql = "UPDATE text_keys SET documents = documents + ?, length = length + ? WHERE id = ?"
    c.execute(sql, (documents, length, key.id))
