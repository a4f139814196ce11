"""Words of a question, as far as they tell something; pure."""

import functools
import re
import threading
from typing import Any

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_SILENT = frozenset(
    re.findall(
        r"\w+",
        "a about an and any are as at be been but by can could did do does for from had has have how i if in into is "
        "it its me my no not of on or our please show so some tell than that the their them then there these they this "
        "those to us was we were what when where which who whom whose why will with would you your",
    )
)
_LOCK = threading.Lock()
"""A stemmer keeps the word that it works on."""


def stems(text: str) -> list[str]:
    """Return the stem of every word, lower case, in their order."""
    words = [word.lower() for word in _WORD.findall(text)]
    with _LOCK:
        found: list[str] = _stemmer().stemWords(words)
    return found


def telling(text: str) -> set[str]:
    """Return the stems of the words that are not among the commonest of English."""
    return set(stems(" ".join(word for word in _WORD.findall(text) if word.lower() not in _SILENT)))


@functools.cache
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")
