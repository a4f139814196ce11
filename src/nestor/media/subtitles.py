"""SubRip and WebVTT: text to timed cues, and cues to the segments they overlap; pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import zip_longest

from nestor.media import plan
from nestor.media.wording import cleaned

_CLOCK = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMES = re.compile(rf"^[ \t]*{_CLOCK}[ \t]*-->[ \t]*{_CLOCK}.*$", re.MULTILINE)
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_BLANK = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class Cue:
    """What is said from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


def parse(text: str) -> tuple[Cue, ...]:
    """Return the cues of an .srt or .vtt text in order of time, without tags; what is not a cue is passed over."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    heads = list(_TIMES.finditer(text))
    cues = []
    for head, following in zip_longest(heads, heads[1:]):
        body = text[head.end() : following.start() if following else None].removeprefix("\n")
        said = plain(_BLANK.split(body, maxsplit=1)[0] if not body.startswith("\n") else "")
        start, end = _seconds(head.groups()[:4]), _seconds(head.groups()[4:])
        if said and end >= start:
            cues.append(Cue(start, end, said))
    return tuple(sorted(cues, key=lambda cue: (cue.start, cue.end)))


def plain(text: str) -> str:
    """Return the text of a cue without markup, on one line."""
    return " ".join(cleaned(unescape(_TAGS.sub("", text.replace("\\N", "\n").replace("\\n", "\n")))).split())


def spread(cues: Iterable[Cue], spans: Sequence[tuple[float, float]]) -> tuple[list[str], int]:
    """Return the words of each span (a cue belongs to every span it overlaps) and how many cues lie outside all."""
    said: list[list[str]] = [[] for _ in spans]
    outside = 0
    for cue in cues:
        indexes = plan.overlapped(spans, start=cue.start, end=cue.end)
        outside += not indexes
        for index in indexes:
            if cue.text not in said[index]:
                said[index].append(cue.text)
    return [" ".join(words) for words in said], outside


def _seconds(clock: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = clock
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")
