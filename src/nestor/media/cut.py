"""Text to pieces with exact positions; pure."""

import re
import unicodedata
from collections.abc import Iterator

from nestor.media.plan import FILL

_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_SENTENCE = re.compile(r"[.!?…][\"'”’»)\]]*\s|[。！？]|\n[ \t]*(?=[-*#>|])")  # noqa: RUF001
_LINE = re.compile(r"\n")
_WORD = re.compile(r"\s")
_SEEN = re.compile(r"\S")
_PROSE = (_BLANK_LINE, _SENTENCE, _LINE, _WORD)
_LINES = (_LINE, _WORD)
_JOINERS = "\u200d\ufe0f"


def cut(text: str, *, limit: int, flavour: str = "plain") -> Iterator[tuple[int, int]]:
    """Yield (start, end) of pieces of at most `limit` characters that hold all but blank text, in order.

    Cuts at the last blank line in the last two fifths of a piece, else sentence, line, word; between characters only
    where there is nothing better. Tables and JSON are cut at the ends of rows and lines.
    """
    at = _skip(text, 0)
    while at < len(text):
        end = len(text) if len(text) - at <= limit else _end(text, at, limit, flavour)
        yield at, at + len(text[at:end].rstrip())
        at = _skip(text, end)


def _skip(text: str, at: int) -> int:
    seen = _SEEN.search(text, at)
    return seen.start() if seen else len(text)


def _end(text: str, at: int, limit: int, flavour: str) -> int:
    floor = at + int(limit * FILL)
    if flavour == "csv":
        row = _row_end(text, at, floor, at + limit)
        if row is not None:
            return row
    for boundary in _LINES if flavour in {"csv", "json"} else _PROSE:
        ends = [found.end() for found in boundary.finditer(text, floor, at + limit)]
        if ends:
            return ends[-1]
    return _between_characters(text, floor, at + limit)


def _row_end(text: str, at: int, floor: int, stop: int) -> int | None:
    """Return the end of the last row that ends between floor and stop; a line end within quotes ends no row."""
    best = None
    quotes, done = 0, at
    for line in _LINE.finditer(text, at, stop):
        quotes += text.count('"', done, line.end())
        done = line.end()
        if quotes % 2 == 0 and done > floor:
            best = done
    return best


def _between_characters(text: str, floor: int, stop: int) -> int:
    """Step back from the middle of a character that is written as several, such as a letter and its accent."""
    end = stop
    while end > floor and (unicodedata.combining(text[end]) or text[end] in _JOINERS or text[end - 1] == "\u200d"):
        end -= 1
    return end if end > floor else stop
