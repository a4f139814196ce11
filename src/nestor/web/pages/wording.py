"""Values as people read them; pure. Every function here but `unturned` is a filter of the templates."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from nestor.domain import Hit, Manifest, Modality
from nestor.moments import path_of

SNIPPET = 320
"""Characters of a passage in a list."""
_UNITS = ("bytes", "kB", "MB", "GB")
"""Each 1,024 times the one before, so that a limit of 512 MB reads so."""
_OVERRIDE = re.compile("[\u202d\u202e]")
_CODE = re.compile("`([^`]+)`")
_WORD = re.compile(r"\w{2,}")
_WORD_BEFORE = re.compile(r"^[a-z]+: (?=[A-Z])")
"""The short word for tables before a sentence that tells the same."""
_DISPLAYED = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"})
"""Pictures that browsers show; of others, such as TIFF, there is the thumbnail."""
_PICTURED = frozenset({Modality.IMAGE, Modality.VIDEO})
_READ = frozenset({Modality.TEXT, Modality.DOCUMENT})
_NAMES = {
    Modality.TEXT: "Text",
    Modality.DOCUMENT: "Document",
    Modality.IMAGE: "Image",
    Modality.AUDIO: "Audio",
    Modality.VIDEO: "Video",
}


def unturned(value: Any) -> Any:
    """Return what is shown with overrides of the direction as marks: a file's name must not read as another one.

    What has to stay as it is, such as the value of an option, is escaped by `| e` in the template.
    """
    return _OVERRIDE.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value


def size(value: float) -> str:
    """Return bytes in the unit that suits: 3.2 MB, 12 kB."""
    power = 0
    while round(value, 1) >= 1024 and power < len(_UNITS) - 1:
        value, power = value / 1024, power + 1
    return f"{value:,.1f}".removesuffix(".0") + f" {_UNITS[power]}"


def clock(seconds: float) -> str:
    """Return a place in time as players show it: 1:05, or 1:02:03."""
    whole = math.floor(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(epoch_seconds: float) -> str:
    """Return day and minute, in UTC, as 2026-03-09 14:05 UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(epoch_seconds))


def date(epoch_seconds: float) -> str:
    """Return the day, in UTC, as 2026-03-09."""
    return time.strftime("%Y-%m-%d", time.gmtime(epoch_seconds))


def count(number: int, one: str, many: str | None = None) -> str:
    """Return the number with its noun: 1 file, 2 files, 2,000 files."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def reason(asset: Manifest) -> str:
    """Return why the asset is not stored; its file goes by its name, wherever on this machine it lies."""
    path = path_of(asset.uri)
    told = asset.reason.replace(str(path), asset.file_name or path.name) if path else asset.reason
    return _WORD_BEFORE.sub("", told)


def kind(modality: Any) -> str:
    """Return the modality's name, and `File` where it is not known."""
    return _NAMES.get(modality, "File")


def place(metadata: Mapping[str, Any]) -> str:
    """Return where the segment lies in its asset: page 3, 0:05-0:10, passage 2; empty where it is the whole."""
    if "page" in metadata:
        return f"page {metadata['page']}"
    if "start_seconds" in metadata:
        return f"{clock(metadata['start_seconds'])}–{clock(metadata['end_seconds'])}"  # noqa: RUF001 - a range
    if metadata.get("modality") == Modality.IMAGE:
        return ""
    return f"passage {int(metadata.get('segment_index', 0)) + 1}"


def viewer(metadata: Mapping[str, Any], words: str = "") -> str:
    """Return the address that opens the asset at this segment; `words` are marked there."""
    asked = {"segment": metadata.get("segment_index", 0)} | ({"q": words} if words else {})
    passage = "#here" if metadata.get("modality") in _READ and not has_picture(metadata) else ""
    return f"/asset/{metadata['object_id']}?{urlencode(asked)}{passage}"


def has_picture(metadata: Mapping[str, Any]) -> bool:
    """Say whether a thumbnail of the segment is kept."""
    return metadata.get("modality") in _PICTURED or metadata.get("content_type") == "application/pdf"


def displayed(content_type: str) -> bool:
    """Say whether browsers show such a picture."""
    return content_type in _DISPLAYED


def snippet(text: str, words: str = "", length: int = SNIPPET) -> str:
    """Return a piece of the text on one line, that around the first of the words where there is one."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    found = _any_of(words).search(line) if _tokens(words) else None
    start = max(0, min(found.start() - length // 4, len(line) - length)) if found else 0
    if start:
        start = line.find(" ", start) + 1 or start
    piece = line[start : start + length].rstrip()
    return f"{'… ' if start else ''}{piece}{' …' if start + length < len(line) else ''}"


def marked(text: str, words: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces, each with whether it is one of the words."""
    if not _tokens(words):
        yield text, False
        return
    last = 0
    for match in _any_of(words).finditer(text):
        if match.start() > last:
            yield text[last : match.start()], False
        yield match.group(), True
        last = match.end()
    if last < len(text):
        yield text[last:], False


def _tokens(words: str) -> list[str]:
    # Short words are everywhere: marking them says nothing. Bounded, since the expression is built from them.
    return [word for word in dict.fromkeys(_WORD.findall(words.lower())) if len(word) > 3 or word.isdigit()][:24]


def _any_of(words: str) -> re.Pattern[str]:
    tokens = sorted(_tokens(words), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, tokens))})\w{{0,3}}\b", re.IGNORECASE)


def coded(sentence: str) -> Iterator[tuple[str, bool]]:
    """Yield the sentence in pieces, each with whether it stood between backticks: what is typed in a terminal."""
    for at, piece in enumerate(_CODE.split(sentence)):
        if piece:
            yield piece, at % 2 == 1


def similarity(hit: Hit) -> str:
    """Return the cosine similarity with two digits; a dash where only words found the hit."""
    return "–" if math.isnan(hit.distance) else f"{hit.similarity:.2f}"  # noqa: RUF001 - a dash for no number


def share(hit: Hit) -> float:
    """Return how much of a bar the similarity fills, 0 to 1: the number itself, not a rank among the hits shown."""
    return 0.0 if math.isnan(hit.distance) else max(0.0, min(1.0, hit.similarity))
