"""Which requests are answered in the event loop itself.

A query by vector takes well under a millisecond where its index is ready, most of it inside the interpreter. Handing it
to a thread costs as much again, and threads that wait for each other's interpreter lock more than that. So it is
answered on the spot, as long as the queries before it were quick; else, as all other requests, by a thread.
"""

import re
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

    def note(self, call: Call, seconds: float) -> None:
        """Learn how long a request took."""
        if _is_plain(call):
            self._quick = seconds < _QUICK


def _is_plain(call: Call) -> bool:
    """Tell whether a request is a query by vector alone, for few results."""
    return call.operation == _QUERY and is_plain_body(call.body)


def is_plain_body(body: bytes) -> bool:
    """Tell whether the body of a query has a vector alone, and asks for few results."""
    if len(body) > BODY_BYTES or not _TOP_K.search(body):
        return False
    return not any(member in body for member in _LONGER)
