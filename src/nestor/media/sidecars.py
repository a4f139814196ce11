"""What lies beside a file and tells about it: photo.jpg.txt, captions.jsonl, film.srt.

It is used for pictures, sounds and pages; texts and Word files speak for themselves.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from nestor.media.decode import NotText, decode
from nestor.media.kinds import BY_SUFFIX
from nestor.media.source import Family
from nestor.media.subtitles import Cue, parse, plain
from nestor.media.wording import cleaned

CAPTIONS = "captions.jsonl"
MAX_BYTES = 64 << 20

_FOLDERS_ABOVE = 3
_SUBTITLES = (".srt", ".vtt")
_TEXTS = ("title", "caption", "captions", "description", "context", "keywords", "tags")
_TOLD_SUFFIXES = {suffix for suffix, kind in BY_SUFFIX.items() if kind.family is not Family.DOCX}
"""A Word file is cut like a text, whose words are only its own."""
_MEDIA_SUFFIXES = tuple(suffix for suffix, kind in BY_SUFFIX.items() if kind.family is Family.MEDIA)


@dataclass(frozen=True, slots=True)
class Notes:
    """What is told about one file."""

    descriptions: tuple[str, ...] = ()
    """Captions, context, title, tags: true of the whole file."""
    transcript: str = ""
    """What is said in it, without times."""
    cues: tuple[Cue, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Captions:
    entries: Mapping[str, Mapping[str, Any]]
    warnings: tuple[str, ...] = ()


def is_sidecar(path: Path) -> bool:
    """Say whether the file only tells about others: it is read with them, and not for itself."""
    if path.name == CAPTIONS:
        return True
    if path.suffix.lower() == ".txt":
        return Path(path.stem).suffix.lower() in _TOLD_SUFFIXES and _is_file(path.with_name(path.stem))
    if path.suffix.lower() not in _SUBTITLES:
        return False
    stems = {path.stem, Path(path.stem).stem}
    return any(_beside(path, stem) for stem in stems)


def _beside(path: Path, stem: str) -> bool:
    if Path(stem).suffix.lower() in _MEDIA_SUFFIXES and _is_file(path.with_name(stem)):
        return True
    return any(
        _is_file(path.with_name(stem + written)) for suffix in _MEDIA_SUFFIXES for written in (suffix, suffix.upper())
    )


def _is_file(path: Path) -> bool:
    """Say so of what can be looked at; a name made longer here may be too long for a file."""
    return os.path.isfile(path)  # noqa: PTH113  # pathlib's raises for such names and for locked folders


def notes(path: Path) -> Notes:
    """Return what lies beside the file about it. A sidecar that cannot be read is a warning."""
    warnings: list[str] = []
    descriptions: list[str] = []
    beside = path.with_name(path.name + ".txt")
    if _is_file(beside):
        descriptions.append(_read(beside, warnings))
    entry = _entry(path, warnings)
    descriptions.extend(_descriptions(entry))
    cues = [cue for file in _subtitle_files(path) for cue in parse(_read(file, warnings))]
    timed, untimed = _spoken(entry.get("subtitles"))
    transcript = cleaned(" ".join(_strings(entry.get("transcript")))) or untimed
    return Notes(tuple(filter(None, descriptions)), transcript, (*cues, *timed), tuple(warnings))


def _read(path: Path, warnings: list[str]) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            warnings.append(f"{path.name} beside it is larger than {MAX_BYTES >> 20} MiB and was left out.")
            return ""
        return decode(path.read_bytes())[0]
    except (OSError, NotText) as error:
        warnings.append(f"{path.name} beside it cannot be read ({error}) and was left out.")
        return ""


def _descriptions(entry: Mapping[str, Any]) -> Iterator[str]:
    for key in _TEXTS:
        strings = [cleaned(text) for text in _strings(entry.get(key))]
        if key in {"keywords", "tags"}:
            yield ", ".join(strings)
        else:
            yield from strings


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _spoken(value: object) -> tuple[tuple[Cue, ...], str]:
    """Read `subtitles`: an .srt or .vtt text, a list of {start, end, text} in seconds, or words without times."""
    if isinstance(value, list):
        cues = [cue for item in value if isinstance(item, dict) and (cue := _cue(item)) is not None]
        if cues:
            return tuple(sorted(cues, key=lambda cue: (cue.start, cue.end))), ""
    text = "\n".join(_strings(value))
    cues_in_text = parse(text)
    return cues_in_text, "" if cues_in_text else cleaned(text)


def _cue(item: Mapping[str, Any]) -> Cue | None:
    start, end, text = item.get("start"), item.get("end"), item.get("text")
    if not isinstance(start, int | float) or not isinstance(end, int | float) or not isinstance(text, str):
        return None
    return Cue(float(start), float(end), plain(text)) if 0 <= start <= end else None


def _entry(path: Path, warnings: list[str]) -> Mapping[str, Any]:
    """Return the line of the nearest captions.jsonl that names the file, in its folder or up to three above."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  # without following links
    for folder in absolute.parents[: _FOLDERS_ABOVE + 1]:
        file = folder / CAPTIONS
        try:
            status = file.stat()
        except OSError:
            continue
        captions = _captions(file, status.st_mtime_ns, status.st_size)
        entry = captions.entries.get(absolute.relative_to(folder).as_posix())
        if entry is not None:
            return entry
        warnings.extend(captions.warnings)
    return {}


@lru_cache(maxsize=64)
def _captions(file: Path, modified: int, size: int) -> _Captions:  # noqa: ARG001  # the key of the cache
    warnings: list[str] = []
    entries: dict[str, Mapping[str, Any]] = {}
    bad: list[int] = []
    # Not splitlines: JSON may hold U+2028 and its like; the \r of \r\n is blank to it.
    for number, line in enumerate(_read(file, warnings).split("\n"), 1):
        if not line.strip():
            continue
        entry = _parsed(line)
        if entry is None:
            bad.append(number)
        else:
            entries.setdefault(str(PurePosixPath(entry["path"])), entry)
    if bad:
        warnings.append(
            f"{len(bad)} of the lines of {file} (the first is line {bad[0]}) are no JSON object with a path; "
            "if one of them was meant for this file, mend it."
        )
    return _Captions(entries, tuple(warnings))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("path"), str) and entry["path"] else None


def _subtitle_files(path: Path) -> list[Path]:
    """Return film.srt, film.mp4.srt and, for other languages, film.en.srt beside film.mp4."""
    if path.suffix.lower() not in _MEDIA_SUFFIXES:
        return []
    try:
        names = _subtitle_names(path.parent, path.parent.stat().st_mtime_ns)
    except OSError:
        return []
    stems = {path.stem, path.name}
    return [path.with_name(name) for name in names if {Path(name).stem, Path(Path(name).stem).stem} & stems]


@lru_cache(maxsize=64)
def _subtitle_names(folder: Path, modified: int) -> tuple[str, ...]:  # noqa: ARG001  # the key of the cache
    return tuple(sorted((name for name in os.listdir(folder) if name.lower().endswith(_SUBTITLES)), key=_plainest))  # noqa: PTH208


def _plainest(name: str) -> tuple[int, str]:
    return name.count("."), name
