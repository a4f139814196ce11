"""Which requests are answered in the event loop itself.

A query by vector takes well under a millisecond where its index is ready, most of it inside the interpreter. Handing it
to a thread costs as much again, and threads that wait for each other's interpreter lock more than that. So it is
answered on the spot, as long as the queries before it were quick; else, as all other requests, by a thread.
"""

import re
import time
from typing import Final

from s3vectors_local.operations import Call

_QUERY: Final = "QueryVectors"
_QUICK: Final = 0.005  # seconds
BODY_BYTES: Final = 128 * 1024
"""Of a plain query at most: more than a vector of 4,096 components takes."""
_TOP_K: Final = re.compile(rb'"topK"[ \t\r\n]*:[ \t\r\n]*[0-9]{1,2}[^0-9.eE]')
_LONGER: Final = (b'"filter"', b'"queryTexts"', b'"nextToken"')


class Pace:
    """Learns from each query whether the next one may be answered at once."""

    def __init__(self) -> None:
        """Trust none before the first, which may have to read its index."""
        self._quick = False

    def admits(self, call: Call) -> bool:
        """Tell whether a request is one that will be quick."""
        return self._quick and _is_plain(call)

    def note(self, call: Call, effort: "Effort") -> None:
        """Learn what a request took, from when its effort began."""
        if _is_plain(call):
            self._quick = effort.seconds() < _QUICK


class Effort:
    """What this thread does from now on.

    Not the time on the clock, where the system tells better: on a busy machine that passes while others work, and
    threads would make it no less busy.
    """

    def __init__(self) -> None:
        """Begin."""
        self._began = time.perf_counter()
        self._usage = _usage()

    def seconds(self) -> float:
        """Return the seconds since then in which this thread worked; without end where it waited for the disk."""
        if self._usage is None or (now := _usage()) is None:
            return time.perf_counter() - self._began
        worked, waits = now[0] - self._usage[0], now[1] - self._usage[1]
        return float("inf") if waits else worked


def _usage() -> tuple[float, int] | None:
    """Return the seconds that this thread has worked, and how often it waited for a page from the disk."""
    import resource

    if not hasattr(resource, "RUSAGE_THREAD"):
        return None
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_utime + usage.ru_stime, usage.ru_majflt


def _is_plain(call: Call) -> bool:
    """Tell whether a request is a query by vector alone, for few results."""
    return call.operation == _QUERY and is_plain_body(call.body)


def is_plain_body(body: bytes) -> bool:
    """Tell whether the body of a query has a vector alone, and asks for few results."""
    if len(body) > BODY_BYTES:
        return False
    # Only around the numbers of the vector, which are nearly all of it and hold no quotes.
    start, end = body.find(b"["), body.rfind(b"]")
    if start < 0 or body.find(b'"', start, end) >= 0:
        return False
    rest = body[:start] + body[end:]
    # A second topK may be the one that counts; behind a backslash any member may be spelled otherwise.
    if rest.count(b'"topK"') != 1 or b"\\" in rest:
        return False
    return bool(_TOP_K.search(rest)) and not any(member in rest for member in _LONGER)
