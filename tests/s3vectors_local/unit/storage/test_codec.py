import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3vectors_local.storage import codec

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES = st.text() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FLOATS | st.lists(st.text(), min_size=1)


@given(st.dictionaries(st.text(), VALUES), st.sets(st.text()))
def test_metadata(metadata: dict[str, object], more: set[str]) -> None:
    """Metadata split in two parts, written, joined and read again is the same."""
    parts = codec.split(metadata, non_filterable=more | set(list(metadata)[::2]))
    joined = codec.join(*map(codec.metadata_bytes, parts))
    assert codec.metadata(joined) == metadata


def test_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and both parts of the metadata count, and where each ends; zero is no checksum."""
    described = [("a", None, None), ("b", None, None), ("a", b"{}", None), ("a", None, b"{}"), ("a{}", None, None)]
    assert len({codec.checksum(*each) for each in described}) == len(described)
    monkeypatch.setattr(zlib, "crc32", lambda _: 0)
    assert codec.checksum("a", None, None) == 1


@given(st.integers(1, 2**22), st.integers(1, 2**40 - 1))
def test_ids(index: int, sequence: int) -> None:
    """A record's id lies in its index's range, and gives back the sequence number."""
    id_ = codec.record_id(index, sequence)
    first, end = codec.id_range(index)
    assert first < id_ < end < 2**63
    assert codec.sequence(id_) == sequence
