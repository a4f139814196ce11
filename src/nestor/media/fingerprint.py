"""When a file has to be read again."""

import hashlib
import json
import os
from dataclasses import astuple
from pathlib import Path

from nestor.errors import UnreadableFile
from nestor.media import sidecars
from nestor.media.detect import check_file, detect, read_head
from nestor.media.kinds import DOCX, PPTX
from nestor.media.options import IMAGE_SIDE, ReadOptions
from nestor.media.source import Family, Kind, refused
from nestor.media.wording import readable_name

READERS = 1
"""Raised when a reader makes other segments of the same file."""

_SHAPING: dict[Family, tuple[str, ...]] = {
    Family.TEXT: ("segment_characters",),
    Family.DOCX: ("segment_characters",),
    Family.PPTX: (),
    Family.PDF: ("ocr",),
    Family.IMAGE: ("ocr",),
    Family.MEDIA: ("segment_seconds", "speech"),
}
_ADDED = {"clips": False, "image_side": IMAGE_SIDE}
_ANY = ("segment_characters", "segment_seconds", "ocr", "speech")


def fingerprint(path: str | os.PathLike[str], options: ReadOptions | None = None) -> str:
    """Return a SHA-256 that is equal as long as reading would give the same segments.

    It covers the bytes, what lies beside the file about it, what its name says, and those options that shape its
    segments. Raises UnreadableFile when there is no such file or it is too large.
    """
    options = options or ReadOptions()
    path = Path(path)
    check_file(path, max_bytes=options.max_bytes)
    kind = _kind(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except PermissionError as error:
        raise refused(path, "denied", "you may not read it. Check its permissions.") from error
    except OSError as error:
        raise refused(path, "broken", f"it cannot be read ({error.strerror}).") from error
    digest.update(json.dumps([READERS, *_around(path, kind, options)]).encode())
    return digest.hexdigest()


def _kind(path: Path) -> Kind | None:
    """Return the kind; of archives, which only a reader process should open, what the name claims."""
    try:
        if read_head(path).startswith(b"PK\x03\x04"):
            return {".docx": DOCX, ".pptx": PPTX}.get(path.suffix.lower())
        return detect(path)[0]
    except UnreadableFile:
        return None


def _around(path: Path, kind: Kind | None, options: ReadOptions) -> list[object]:
    names = _SHAPING[kind.family] if kind else _ANY
    shaping = {name: getattr(options, name) for name in names}
    # Left out where they are as ever, so that what was stored before there was a choice counts as unchanged.
    shaping |= {name: value for name, usual in _ADDED.items() if (value := getattr(options, name)) != usual}
    if kind and kind.family in {Family.TEXT, Family.DOCX}:
        return [shaping, kind.format]
    notes = sidecars.notes(path)
    return [shaping, readable_name(path), notes.descriptions, notes.transcript, [astuple(cue) for cue in notes.cues]]
