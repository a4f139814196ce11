"""What is answered without a thread: plain queries, while they are quick."""

import pytest

from s3vectors_local.operations import Call
from s3vectors_local.pace import Pace

PLAIN = b'{"indexName":"i","topK":10,"queryVector":{"float32":[1,2]}}'


def _query(body: bytes = PLAIN) -> Call:
    return Call("POST", "/QueryVectors", body=body)


def test_quick_queries() -> None:
    """After a quick query the next is answered at once; after a slow one, and before the first, by a thread."""
    pace = Pace()
    assert not pace.admits(_query())
    pace.note(_query(), 0.001)
    assert pace.admits(_query())
    pace.note(_query(), 0.2)
    assert not pace.admits(_query())
    pace.note(_query(), 0.001)
    assert pace.admits(_query())


@pytest.mark.parametrize(
    "call",
    [
        Call("POST", "/PutVectors", body=PLAIN),
        Call("POST", "/ListVectors", body=PLAIN),
        Call("GET", "/QueryVectors", body=PLAIN),
        _query(PLAIN.replace(b'"topK":10', b'"topK":100')),
        _query(PLAIN.replace(b'"topK":10', b'"topK": 10000')),
        _query(PLAIN.replace(b'"topK":10', b'"topK":10.5')),
        _query(PLAIN.replace(b'"topK":10,', b"")),
        _query(PLAIN.replace(b"{", b'{"filter":{"a":1},', 1)),
        _query(PLAIN.replace(b"{", b'{"queryTexts":[],', 1)),
        _query(PLAIN + b" " * 200_000),
        _query(b""),
    ],
    ids=["put", "list", "get", "100", "10000", "fraction", "no topK", "filter", "texts", "large", "empty"],
)
def test_all_others(call: Call) -> None:
    """What may take long never runs in the event loop, and teaches nothing about queries."""
    pace = Pace()
    pace.note(_query(), 0.001)
    assert not pace.admits(call)
    pace.note(call, 3.0)
    assert pace.admits(_query())
