"""Which records hold a term: blocks of up to 256 postings, in the order of their records.

A posting is 8 bytes, little endian: the record's distance from the block's first (4), how often the term stands in it
(2), and how many terms its text has (2). Every function works inside the caller's transaction.
"""

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from s3vectors_local.text.bm25 import Postings

_POSTING: Final = struct.Struct("<IHH")
_FULL: Final = 256 * _POSTING.size
_SPAN: Final = 0xFFFF_FFFF
_TYPE: Final = np.dtype([("offset", "<u4"), ("count", "<u2"), ("length", "<u2")])

_TAIL: Final = "SELECT id, first, data FROM postings WHERE text_key = ? AND term = ? ORDER BY first DESC LIMIT 1"
_BLOCK: Final = """
    SELECT id, first, data FROM postings WHERE text_key = ? AND term = ? AND first <= ? ORDER BY first DESC LIMIT 1
"""


class Posting(NamedTuple):
    """One record of a term."""

    record: int
    times: int
    length: int


class _Block(NamedTuple):
    id: int | None
    first: int
    data: bytes

    def place(self, record: int) -> int:
        """Return where in the data the record is, or would be."""
        offsets = np.frombuffer(self.data, _TYPE)["offset"]
        return int(np.searchsorted(offsets, record - self.first)) * _POSTING.size

    def last(self) -> int:
        """Return the last record."""
        (offset, _, _) = _POSTING.unpack_from(self.data, len(self.data) - _POSTING.size)
        return self.first + int(offset)


def add(c: sqlite3.Connection, text_key: int, term: str, postings: Sequence[Posting]) -> None:
    """Add postings of records that the term does not have yet, in the order of their records."""
    row = c.execute(_TAIL, (text_key, term)).fetchone()
    tail = _Block(*row) if row else None
    if tail is None or tail.last() < postings[0].record:
        _append(c, text_key, term, tail, postings)
    else:
        for posting in postings:
            _insert(c, text_key, term, posting)


def remove(c: sqlite3.Connection, text_key: int, term: str, record: int) -> None:
    """Remove the posting of a record that has the term."""
    block = _Block(*c.execute(_BLOCK, (text_key, term, record)).fetchone())
    place = block.place(record)
    data = block.data[:place] + block.data[place + _POSTING.size :]
    if data:
        _write(c, text_key, term, block._replace(data=data))
    else:
        c.execute("DELETE FROM postings WHERE id = ?", (block.id,))


def read(c: sqlite3.Connection, text_key: int, term: str) -> Postings:
    """Return all postings of a term."""
    sql = "SELECT first, data FROM postings WHERE text_key = ? AND term = ? ORDER BY first"
    blocks = c.execute(sql, (text_key, term)).fetchall()
    found = np.frombuffer(b"".join(data for _, data in blocks), _TYPE)
    firsts = np.array([first for first, _ in blocks], np.int64)
    sizes = np.array([len(data) // _POSTING.size for _, data in blocks], np.int64)
    return Postings(np.repeat(firsts, sizes) + found["offset"].astype(np.int64), found["count"], found["length"])


def every(c: sqlite3.Connection, text_key: int) -> Iterator[tuple[str, Posting]]:
    """Yield terms and postings, as they lie."""
    sql = "SELECT term, first, data FROM postings WHERE text_key = ? ORDER BY term, first"
    for term, first, data in c.execute(sql, (text_key,)):
        for offset, times, length in _POSTING.iter_unpack(data):
            yield term, Posting(first + offset, times, length)


def _append(c: sqlite3.Connection, text_key: int, term: str, tail: _Block | None, postings: Sequence[Posting]) -> None:
    block, data = tail, bytearray(tail.data if tail else b"")
    for posting in postings:
        if block is None or len(data) >= _FULL or posting.record - block.first > _SPAN:
            if block is not None:
                _write(c, text_key, term, block._replace(data=bytes(data)))
            block, data = _Block(None, posting.record, b""), bytearray()
        data += _packed(block.first, posting)
    if block is not None:
        _write(c, text_key, term, block._replace(data=bytes(data)))


def _insert(c: sqlite3.Connection, text_key: int, term: str, posting: Posting) -> None:
    row = c.execute(_BLOCK, (text_key, term, posting.record)).fetchone()
    block = _Block(*row) if row else None
    if block is None or posting.record - block.first > _SPAN:
        _write(c, text_key, term, _Block(None, posting.record, _packed(posting.record, posting)))
        return
    place = block.place(posting.record)
    data = block.data[:place] + _packed(block.first, posting) + block.data[place:]
    if len(data) <= _FULL:
        _write(c, text_key, term, block._replace(data=data))
        return
    half = _FULL // 2
    _write(c, text_key, term, block._replace(data=data[:half]))
    _append(c, text_key, term, None, _unpacked(block.first, data[half:]))


def _write(c: sqlite3.Connection, text_key: int, term: str, block: _Block) -> None:
    if block.id is None:
        sql = "INSERT INTO postings (text_key, term, first, data) VALUES (?, ?, ?, ?)"
        c.execute(sql, (text_key, term, block.first, block.data))
    else:
        c.execute("UPDATE postings SET data = ? WHERE id = ?", (block.data, block.id))


def _packed(first: int, posting: Posting) -> bytes:
    return _POSTING.pack(posting.record - first, posting.times, posting.length)


def _unpacked(first: int, data: bytes) -> list[Posting]:
    return [Posting(first + offset, times, length) for offset, times, length in _POSTING.iter_unpack(data)]
