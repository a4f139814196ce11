"""Text to terms: fold, split into words, drop stop words, stem. Pure. A term holds no white space.

AWS does not publish its analyzers; these are ours. Chinese, Japanese and Korean runs become overlapping pairs of
characters in every analyzer; a text is indexed by its single characters too, so that a query of one character finds it.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final
from unicodedata import category, normalize

from s3vectors_local import limits
from s3vectors_local.text.stop_words import STOP_WORDS

_STEMMERS: Final = {
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "pt": "portuguese",
}
_CJK: Final = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff"
_SCRIPTS: Final = re.compile(f"[{_CJK}]+|[^{_CJK}]+")
_IS_CJK: Final = re.compile(f"[{_CJK}]")
_LAST_MARK: Final = 0x1E94A  # the last combining mark that is part of a word of a living script
# What is bound to the next word and carries no meaning of its own: l'eau, dell'arte.
_ELISIONS: Final[Mapping[str, frozenset[str]]] = {
    "fr": frozenset(("l", "d", "j", "m", "t", "s", "n", "c", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu")),
    "it": frozenset(("l", "un", "c", "d", "m", "t", "s", "v", "all", "dall", "dell", "nell", "sull", "quell", "quest")),
}
# Letters as they are written in print, and what takes no place at all.
_SAME: Final = {0x2019: "'", 0x02BC: "'", 0x00AD: None, 0x200B: None}


def document_terms(value: Any, *, language: str | None) -> list[str]:
    """Return the terms of a metadata value, the first 65,535 of them.

    Strings and arrays of strings have terms; another value has none.
    """
    texts = value if isinstance(value, list) else [value]
    terms = [term for text in texts if isinstance(text, str) for term in _terms(text, language, _singles_and_pairs)]
    return terms[: limits.TEXT_TERMS]


def query_terms(text: str, *, language: str | None) -> list[str]:
    """Return the terms that a query looks for, as often as they stand in it."""
    return list(_terms(text, language, _pairs))


def _terms(text: str, language: str | None, grams: Callable[[str], list[str]]) -> Iterator[str]:
    folded = _folded(text).replace("_", " ")
    for word in _words(ascii_only=folded.isascii()).findall(folded):
        if word.isascii() or not _IS_CJK.search(word):
            yield from _term(word, language)
            continue
        for part in _SCRIPTS.findall(word):
            yield from grams(part) if _IS_CJK.match(part) else _term(part.strip("'"), language)


def _folded(text: str) -> str:
    """Return the text in one form for all ways to write it: full width, ligatures, case."""
    if text.isascii():
        return text.lower()
    # Twice, for folding can undo what the first has composed (Unicode: NFKC_Casefold).
    return normalize("NFKC", normalize("NFKC", text.translate(_SAME)).casefold())


@cache
def _words(*, ascii_only: bool) -> re.Pattern[str]:
    r"""Return the pattern of a word: letters, digits and marks; apostrophes inside; points inside numbers.

    Python's \w knows no combining marks, which would cut the words of many scripts to pieces.
    """
    codes = range(0x300, 0x300 if ascii_only else _LAST_MARK + 1)
    letters = r"[\w" + "".join(chr(code) for code in codes if category(chr(code))[0] == "M") + "]+"
    return re.compile(rf"{letters}(?:(?:'|(?<=\d)[.,](?=\d)){letters})*")


@lru_cache(maxsize=1 << 17)
def _term(word: str, language: str | None) -> tuple[str, ...]:
    """Return the one term of a word, or none for a stop word."""
    word = word[: limits.TERM_LENGTH]
    head, mark, tail = word.partition("'")
    if mark and head in _ELISIONS.get(language or "", ()):
        word = tail
    if not word or word in STOP_WORDS.get(language or "", ()):
        return ()
    stemmed = _stemmed(word, language) if language in _STEMMERS else word
    return (stemmed or word,)


_stemming = threading.Lock()  # a stemmer keeps its word in itself


def _stemmed(word: str, language: str) -> str:
    with _stemming:
        stemmed: str = _stemmer(language).stemWord(word)
    return stemmed


@cache
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(_STEMMERS[language])


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)] or [run]


def _singles_and_pairs(run: str) -> list[str]:
    return [*run, *_pairs(run)] if len(run) > 1 else [run]
