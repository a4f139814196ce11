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
_BODY: Final = 128 * 1024  # bytes: more than a vector of 4,096 components takes
_TOP_K: Final = re.compile(rb'"topK"[ \t\r\n]*:[ \t\r\n]*[0-9]{1,2}[^0-9.eE]')
_LONGER: Final = (b'"filter"', b'"queryTexts"')


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
    if call.operation != _QUERY or len(call.body) > _BODY or not _TOP_K.search(call.body):
        return False
    return not any(member in call.body for member in _LONGER)
