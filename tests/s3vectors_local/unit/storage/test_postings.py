"""Blocks of postings against a dict of them."""

import random
import sqlite3
from collections.abc import Iterator

import pytest

from s3vectors_local.storage import postings, schema
from s3vectors_local.storage.postings import Posting

FULL = 256


@pytest.fixture
def c() -> Iterator[sqlite3.Connection]:
    """Give a database with our tables."""
    connection = sqlite3.connect(":memory:")
    schema.create(connection)
    yield connection
    connection.close()


def _read(c: sqlite3.Connection, term: str = "t") -> list[Posting]:
    found = postings.read(c, 1, term)
    rows = zip(found.records.tolist(), found.counts.tolist(), found.lengths.tolist(), strict=True)
    return [Posting(*row) for row in rows]


def _sizes(c: sqlite3.Connection) -> list[int]:
    return [size // 8 for (size,) in c.execute("SELECT length(data) FROM postings ORDER BY first")]


def _posting(record: int) -> Posting:
    return Posting(record, record % 9 + 1, record % 90 + 9)


def test_nothing(c: sqlite3.Connection) -> None:
    """An unknown term has no postings."""
    assert _read(c) == []


def test_appending_fills_blocks(c: sqlite3.Connection) -> None:
    """Postings at the end fill the last block before a new one begins."""
    every = [_posting(record) for record in range(1, 700)]
    postings.add(c, 1, "t", every[:1])
    postings.add(c, 1, "t", every[1:300])
    postings.add(c, 1, "t", every[300:])
    assert _read(c) == every
    assert _sizes(c) == [FULL, FULL, 187]


def test_terms_and_keys_are_apart(c: sqlite3.Connection) -> None:
    """Another term, and the same term of another key, have their own postings."""
    postings.add(c, 1, "t", [_posting(1)])
    postings.add(c, 1, "t2", [_posting(2)])
    postings.add(c, 2, "t", [_posting(3)])
    assert _read(c) == [_posting(1)]
    assert [*postings.every(c, 1)] == [("t", _posting(1)), ("t2", _posting(2))]


def test_a_full_block_is_split(c: sqlite3.Connection) -> None:
    """A posting that falls into a full block halves it."""
    every = [_posting(record) for record in range(2, 1026, 2)]
    postings.add(c, 1, "t", every)
    postings.add(c, 1, "t", [_posting(7)])
    assert _read(c) == sorted([*every, _posting(7)])
    assert _sizes(c) == [128, 129, FULL]


def test_a_block_with_room_is_not_split(c: sqlite3.Connection) -> None:
    """The last free place of a block is taken."""
    postings.add(c, 1, "t", [_posting(record) for record in range(2, 512, 2)])
    postings.add(c, 1, "t", [_posting(7)])
    assert _sizes(c) == [FULL]


def test_before_the_first(c: sqlite3.Connection) -> None:
    """A posting before all others comes first."""
    postings.add(c, 1, "t", [_posting(10), _posting(11)])
    postings.add(c, 1, "t", [_posting(3), _posting(12)])
    assert _read(c) == [_posting(record) for record in (3, 10, 11, 12)]


@pytest.mark.parametrize("records", [(5, 5 + 2**32 - 1), (5, 5 + 2**32), (5, 6, 5 + 2**39)])
def test_records_far_apart(c: sqlite3.Connection, records: tuple[int, ...]) -> None:
    """Distances that 4 bytes cannot hold begin a new block, at the end and in the middle."""
    every = [_posting(record) for record in records]
    postings.add(c, 1, "t", every)
    assert _read(c) == every
    postings.add(c, 1, "t", [_posting(5 + 2**40)])
    postings.add(c, 1, "t", [_posting(5 + 2**38)])
    assert _read(c) == sorted([*every, _posting(5 + 2**38), _posting(5 + 2**40)])


def test_largest_values(c: sqlite3.Connection) -> None:
    """A term that is all of the longest text is kept exactly."""
    postings.add(c, 1, "t", [Posting(2**62, 65_535, 65_535)])
    assert _read(c) == [Posting(2**62, 65_535, 65_535)]


def test_the_last_one_removed_takes_the_block(c: sqlite3.Connection) -> None:
    """Nothing is left of a term that stands nowhere."""
    postings.add(c, 1, "t", [_posting(1)])
    postings.remove(c, 1, "t", 1)
    assert _sizes(c) == []


def test_random_writes(c: sqlite3.Connection) -> None:
    """Whatever is added and removed, in whatever order, what is read is what is left, in order."""
    chance = random.Random(7)  # noqa: S311 - no secret
    model: dict[int, Posting] = {}
    for _ in range(600):
        free = [record for record in range(1, 1500) if record not in model]
        new = sorted(chance.sample(free, chance.randint(1, 6)))
        postings.add(c, 1, "t", [_posting(record) for record in new])
        model |= {record: _posting(record) for record in new}
        for record in chance.sample(sorted(model), min(len(model), chance.randint(0, 5))):
            postings.remove(c, 1, "t", record)
            del model[record]
        if len(model) > 1200:
            break
    assert _read(c) == [model[record] for record in sorted(model)]
    assert all(1 <= size <= FULL for size in _sizes(c))
