"""Which requests are answered in the event loop itself.

A query by vector takes well under a millisecond where its index is ready, most of it inside the interpreter. Handing it
to a thread costs as much again, and threads that wait for each other's interpreter lock more than that. So it is
answered on the spot, as long as the last one that asked the same of the same index was quick; else, as all other
requests, by a thread.
"""

import re
import time
from typing import Final

from s3vectors_local.operations import Call

_QUERY: Final = "QueryVectors"
_QUICK: Final = 0.005  # seconds of work
_STALLED: Final = 0.05  # seconds on the clock, as where a lock is waited for
_KNOWN: Final = 512  # of the newest, about
BODY_BYTES: Final = 128 * 1024
"""Of a plain query at most: more than a vector of 4,096 components takes."""
_TOP_K: Final = re.compile(rb'"topK"[ \t\r\n]*:[ \t\r\n]*[0-9]{1,2}[^0-9.eE]')
_LONGER: Final = (b'"filter"', b'"queryTexts"', b'"nextToken"')


class Pace:
    """Learns from each query whether the next one like it, but for its vector, may be answered at once."""

    def __init__(self) -> None:
        """Trust none before the first, which may have to read its index."""
        self._quick: set[int] = set()  # hashes, as what stands around a vector may be long

    def admits(self, call: Call) -> bool:
        """Tell whether a request is one that will be quick."""
        return bool(self._quick) and _likeness(call) in self._quick

    def note(self, call: Call, effort: "Effort") -> None:
        """Learn what a request took, from when its effort began."""
        likeness = _likeness(call)
        if likeness is None:
            return
        if effort.seconds() >= _QUICK:
            self._quick.discard(likeness)
        elif likeness not in self._quick:
            if len(self._quick) >= _KNOWN:
                self._quick.clear()
            self._quick.add(likeness)


class Effort:
    """What this thread does from now on.

    Not a short time on the clock, where the system tells better: on a busy machine that passes while others work, and
    threads would make it no less busy.
    """

    def __init__(self) -> None:
        """Begin."""
        self._began = time.perf_counter()
        self._usage = _usage()

    def seconds(self) -> float:
        """Return the seconds since then in which this thread worked; infinite where it waited long, or for the disk."""
        passed = time.perf_counter() - self._began
        if passed >= _STALLED:
            return float("inf")
        if self._usage is None or (now := _usage()) is None:
            return passed
        worked, waits = now[0] - self._usage[0], now[1] - self._usage[1]
        return float("inf") if waits else worked


def _usage() -> tuple[float, int] | None:
    """Return the seconds that this thread has worked, and how often it waited for a page from the disk."""
    import resource

    if not hasattr(resource, "RUSAGE_THREAD"):
        return None
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_utime + usage.ru_stime, usage.ru_majflt


def _likeness(call: Call) -> int | None:
    """Return what queries by vector alone, for few results, have in common; None for all other requests."""
    around = _around_vector(call.body) if call.operation == _QUERY else None
    return None if around is None else hash(around)


def is_plain_body(body: bytes) -> bool:
    """Tell whether the body of a query has a vector alone, and asks for few results."""
    return _around_vector(body) is not None


def _around_vector(body: bytes) -> bytes | None:
    """Return what stands around the vector in the body of a plain query; None for all other bodies."""
    if len(body) > BODY_BYTES:
        return None
    # Only around the numbers of the vector, which are nearly all of it and hold no quotes.
    start, end = body.find(b"["), body.rfind(b"]")
    if start < 0 or body.find(b'"', start, end) >= 0:
        return None
    rest = body[:start] + body[end:]
    # A second topK may be the one that counts; behind a backslash any member may be spelled otherwise.
    if rest.count(b'"topK"') != 1 or b"\\" in rest:
        return None
    return rest if _TOP_K.search(rest) and not any(member in rest for member in _LONGER) else None
