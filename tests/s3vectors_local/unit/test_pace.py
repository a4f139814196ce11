"""What is answered without a thread: plain queries, while they are quick."""

import mmap
import resource
import time
from pathlib import Path

import pytest

from bench import memory
from s3vectors_local.operations import Call
from s3vectors_local.pace import Effort, Pace

PLAIN = b'{"indexName":"i","topK":10,"queryVector":{"float32":[1,2]}}'


class Took(Effort):
    """An effort of so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._took = seconds

    def seconds(self) -> float:
        """Return it."""
        return self._took


def _query(body: bytes = PLAIN) -> Call:
    return Call("POST", "/QueryVectors", body=body)


def test_quick_queries() -> None:
    """After a quick query the next is answered at once; after a slow one, and before the first, by a thread."""
    pace = Pace()
    assert not pace.admits(_query())
    pace.note(_query(), Took(0.001))
    assert pace.admits(_query())
    pace.note(_query(), Took(0.2))
    assert not pace.admits(_query())
    pace.note(_query(), Took(0.001))
    assert pace.admits(_query())


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace(b'"i"', b'"j"'),
        PLAIN.replace(b"{", b'{"vectorBucketName":"b",', 1),
        PLAIN.replace(b"}}", b'},"indexArn":"a"}'),
    ],
    ids=["index", "bucket", "arn"],
)
def test_the_first_query_of_each_index(other: bytes) -> None:
    """Quick queries of one index tell nothing about another, which may have to be read; another vector is no matter."""
    pace = Pace()
    pace.note(_query(), Took(0.001))
    assert pace.admits(_query(PLAIN.replace(b"[1,2]", b"[0.25,-3e-4]")))
    assert not pace.admits(_query(other))
    pace.note(_query(other), Took(0.2))
    assert pace.admits(_query())


def test_how_many_are_known() -> None:
    """Indexes without end take no memory without end: who comes back after many others is asked for anew."""
    pace = Pace()
    for number in range(2_000):
        one = _query(PLAIN.replace(b'"i"', b'"i%d"' % number))
        pace.note(one, Took(0.001))
        assert pace.admits(one)
    assert not pace.admits(_query(PLAIN.replace(b'"i"', b'"i0"')))


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
        _query(PLAIN.replace(b'"topK":10', b'"topK":10,"topK":300')),
        _query(PLAIN.replace(b'"topK":10', b'"x":{"topK":1},"topK":300')),
        _query(PLAIN.replace(b"{", b'{"top\\u004b":300,', 1)),
        _query(PLAIN.replace(b"{", b'{"fi\\u006cter":{"a":1},', 1)),
        _query(PLAIN.replace(b"{", b'{"filter":{"a":1},', 1)),
        _query(PLAIN.replace(b"{", b'{"queryTexts":[],', 1)),
        _query(PLAIN + b" " * 200_000),
        _query(b""),
    ],
    ids=[
        "put",
        "list",
        "get",
        "100",
        "10000",
        "fraction",
        "no topK",
        "twice",
        "elsewhere",
        "escaped topK",
        "escaped filter",
        "filter",
        "texts",
        "large",
        "empty",
    ],
)
def test_all_others(call: Call) -> None:
    """What may take long never runs in the event loop, and teaches nothing about queries."""
    pace = Pace()
    pace.note(_query(), Took(0.001))
    assert not pace.admits(call)
    pace.note(call, Took(3.0))
    assert pace.admits(_query())


def test_waiting_for_others_is_no_effort() -> None:
    """A short time in which this thread does nothing does not count; time in which it works does."""
    effort = Effort()
    time.sleep(0.02)
    assert effort.seconds() < 0.01
    effort = Effort()
    until = time.thread_time() + 0.05
    while time.thread_time() < until:
        pass
    assert effort.seconds() > 0.03


def test_waiting_long_is_one() -> None:
    """A thread that waited long, as for a lock, is slow: in the event loop all other requests would have waited too."""
    effort = Effort()
    time.sleep(0.06)
    assert effort.seconds() == float("inf")


def test_waiting_for_the_disk_is_one(tmp_path: Path) -> None:
    """A thread that had to wait for a page of a file is slow, however short that was."""
    path = tmp_path / "pages"
    path.write_bytes(b"x" * (4 << 20))
    memory.forget(tmp_path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_majflt
        effort = Effort()
        sum(pages[at] for at in range(0, len(pages), 4096))
        if resource.getrusage(resource.RUSAGE_THREAD).ru_majflt == before:
            pytest.skip("this file system keeps its pages in memory")
        assert effort.seconds() == float("inf")
