"""One file as the readers get it, and the words in which they refuse it."""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nestor.errors import UnreadableFile


class Family(StrEnum):
    """Which reader takes the file."""

    TEXT = "text"
    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    IMAGE = "image"
    MEDIA = "media"


@dataclass(frozen=True, slots=True)
class Kind:
    """What the content of a file is."""

    name: str
    """For sentences: `a PNG image`."""
    family: Family
    content_type: str
    format: str
    """The library's word for it: Pillow's format, FFmpeg's demuxer, the flavour of a text."""
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A file whose kind is known."""

    path: Path
    kind: Kind


def refused(path: Path, reason: str, sentence: str) -> UnreadableFile:
    """Return the error that says what is wrong with the file and how to mend it."""
    return UnreadableFile(f"Cannot read {path}: {sentence}", reason=reason)


def sized(count: float) -> str:
    """Return a number of bytes as people write it; never rounded down to a bound it exceeds."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{math.ceil(count / size * 10) / 10:g} {unit}"
    return f"{count:g} bytes"
