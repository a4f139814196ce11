"""Text to terms: lower-case, accents and widths folded, English words stemmed, unspaced scripts cut into pairs."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Any

_STOPWORDS = """
a about above after again all also am an and any are as at be because been before being below between both but
by can could did do does doing down during each few for from further had has have having he her here hers him
his how i if in into is it its itself just may me might more most must my no nor not now of off on once only or
other our out over own s same shall she should so some such t than that the their them then there these they
this those through to too under until up upon very was we were what when where which while who whom why will
with would you your yours
"""
STOPWORDS = frozenset(_STOPWORDS.split())

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, kana and Han: written without spaces between words."""

_RUN = re.compile(rf"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[^\W_])+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]").match
_MARKS = re.compile("[\u0300-\u036f]+")
_LONGEST = 64
"""Characters of a word that count: what is longer is data, not a word."""


def terms(text: str) -> list[str]:
    """Return the terms of the text in their order, stopwords left out."""
    return [term for run in _RUN.findall(folded(text)) for term in _terms_of(run)]


def folded(text: str) -> str:
    """Return the text in one case, one width and without the accents of Latin letters."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKC", _MARKS.sub("", decomposed))


def _terms_of(run: str) -> Iterator[str]:
    if _IS_UNSPACED(run):
        yield from (run[start : start + 2] for start in range(max(1, len(run) - 1)))
    elif run not in STOPWORDS:
        yield _stemmed(run[:_LONGEST])


_stemming = Lock()
"""A stemmer keeps its word in itself."""


@lru_cache(maxsize=1 << 16)
def _stemmed(word: str) -> str:
    if not (word.isascii() and word.isalpha()):
        return word
    with _stemming:
        return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")
