"""Where to cut: arithmetic only."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

MAX_TEXT_SEGMENTS = 1_900
"""Nova MME, segments of one asynchronous text job."""
MAX_MEDIA_SEGMENTS = 1_434
"""Nova MME, segments of one asynchronous audio or video job."""
FILL = 0.6
"""A cut is sought in the last two fifths of a text segment, so every segment but the last is filled this far."""
SHORTEST_TAIL = 0.5
"""Seconds; a shorter rest joins the segment before it."""


def segment_characters(length: int, *, asked: int) -> int:
    """Return the most characters a segment may have so that a text of `length` stays within the segment limit."""
    return max(asked, math.ceil(length / (MAX_TEXT_SEGMENTS * FILL)))


def segment_seconds(duration: float, *, asked: float) -> float:
    """Return the segment length in seconds for a medium: as asked, or the least whole number that keeps the limit."""
    if duration <= asked * MAX_MEDIA_SEGMENTS:
        return asked
    return float(math.ceil(duration / MAX_MEDIA_SEGMENTS))


def cut_seconds(duration: float, *, asked: float) -> tuple[tuple[float, float], ...]:
    """Return (start, end) of every segment, to the millisecond, without gaps; the last may be shorter or a bit longer.

    Raises ValueError when the duration is not above zero.
    """
    end = round(duration, 3)
    if end <= 0:
        raise ValueError(f"a medium must last longer than {duration} s")
    seconds = segment_seconds(end, asked=asked)
    count = max(1, math.ceil(end / seconds))
    if count > 1 and end - (count - 1) * seconds < SHORTEST_TAIL:
        count -= 1
    bounds = [round(index * seconds, 3) for index in range(count)] + [end]
    return tuple(pairwise(bounds))


def overlapped(spans: Sequence[tuple[float, float]], *, start: float, end: float) -> range:
    """Return the indexes of the spans (in order, without gaps) that [start, end) overlaps; one instant lies in one."""
    first = bisect_right(spans, start, key=lambda span: span[1])
    last = first
    while last < len(spans) and (last == first or spans[last][0] < end):
        last += 1
    return range(first, last)


def shares(words: Sequence[str], spans: Sequence[tuple[float, float]]) -> list[str]:
    """Spread words without times over the spans, in order, each word once, in proportion to the seconds of each."""
    total = spans[-1][1]
    parts = []
    done = 0
    for _, end in spans:
        until = round(len(words) * end / total)
        parts.append(" ".join(words[done:until]))
        done = until
    return parts
