"""The words that stand for a picture or a sound: cleaned, joined, and read out of file names; pure."""

import re
from collections.abc import Iterable
from pathlib import PurePath

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]+")
_SPACES = re.compile(r"[ \t\u00a0]+")
_SEPARATORS = re.compile(r"(?:%20|[\s_\-.+~,;()\[\]{}])+")
_CAMERA = re.compile(
    r"(?:img|dsc[a-z]?|dscn|dscf|dcim|pxl|mvi?|mov|vid|video|gopr?|gx|gh|dji|pano|wa|imag|sam|pict?|p|image|photo|"
    r"picture|screenshot|scan|untitled|unnamed|download|clip|file|doc|track|audio|rec|recording|whatsapp)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[a-z]{0,4}\d{3,}[a-z]?|\d{5,}\w*|[0-9a-f]{12,}|\d+x\d+", re.IGNORECASE)
_YEAR = re.compile(r"(?:1[89]|20)\d\d")


def cleaned(text: str) -> str:
    """Return the text without control characters and lone surrogates, spaces single, lines trimmed."""
    text = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(filter(None, (_SPACES.sub(" ", line).strip() for line in text.split("\n"))))


def joined(parts: Iterable[str]) -> str:
    """Return the parts a line each; a part that an earlier one already says in full is left out."""
    kept: list[str] = []
    for part in map(cleaned, parts):
        if part and not any(part in earlier for earlier in kept):
            kept.append(part)
    return "\n".join(kept)


def readable_name(path: PurePath) -> str:
    """Return what a file name says in words, empty for a camera's number or an id.

    `holiday_in-Rome_2019.jpg` says "holiday in Rome 2019"; `IMG_1234.jpg` and `000000012280.jpg` say nothing.
    """
    tokens = [token for token in _SEPARATORS.split(path.stem) if token and not _is_number(token)]
    told = [token for token in tokens if not _CAMERA.fullmatch(token)]
    letters = [letter for token in told for letter in token if letter.isalpha()]
    if len(letters) < 2 and all(letter.isascii() for letter in letters):
        return ""
    return cleaned(" ".join(tokens))


def _is_number(token: str) -> bool:
    return _NUMBERED.fullmatch(token) is not None and _YEAR.fullmatch(token) is None
