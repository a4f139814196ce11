"""Where to cut: arithmetic."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestor.media import plan
from nestor.media.options import MAX_SECONDS

DURATIONS = st.floats(0.001, MAX_SECONDS)
LENGTHS = st.floats(1, 30)


@given(duration=DURATIONS, asked=LENGTHS)
def test_media_segments_cover_everything_within_the_limits(duration: float, asked: float) -> None:
    """They follow each other without gaps from 0 to the end, none too long, at most 1,434."""
    spans = plan.cut_seconds(duration, asked=asked)
    assert spans[0][0] == 0
    assert spans[-1][1] == round(duration, 3)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(0 < end - start <= 30 + plan.SHORTEST_TAIL + 1e-6 for start, end in spans)
    assert len(spans) <= plan.MAX_MEDIA_SEGMENTS


@given(duration=DURATIONS, asked=LENGTHS)
def test_only_a_short_medium_has_a_short_tail(duration: float, asked: float) -> None:
    """Less than half a second never stands alone, unless it is all there is."""
    spans = plan.cut_seconds(duration, asked=asked)
    assert len(spans) == 1 or spans[-1][1] - spans[-1][0] >= plan.SHORTEST_TAIL - 0.002


@pytest.mark.parametrize(("duration", "asked", "seconds"), [(7170, 5, 5), (7200, 5, 6), (60, 1, 1), (43_020, 1, 30)])
def test_segments_grow_only_when_there_would_be_too_many(duration: float, asked: float, seconds: float) -> None:
    """As asked where possible; else the least whole number of seconds."""
    assert plan.segment_seconds(duration, asked=asked) == seconds


@pytest.mark.parametrize("duration", [0, -1, 0.0001])
def test_nothing_cannot_be_cut(duration: float) -> None:
    """A medium of no length is an error of the caller."""
    with pytest.raises(ValueError, match="longer"):
        plan.cut_seconds(duration, asked=5)


@given(duration=st.floats(1, 500), start=st.floats(0, 600), length=st.floats(0, 100))
def test_overlapped_is_what_a_comparison_of_all_would_find(duration: float, start: float, length: float) -> None:
    """A stretch of time lies in exactly the spans it shares an instant with."""
    spans = plan.cut_seconds(duration, asked=5)
    found = plan.overlapped(spans, start=start, end=start + length)
    wanted = [
        index
        for index, (a, b) in enumerate(spans)
        if start < b and (start + length > a or a <= start <= start + length)
    ]
    assert list(found) == wanted


@given(words=st.lists(st.sampled_from(["a", "b", "c"])), duration=st.floats(0.5, 100))
def test_shares_hold_every_word_once_in_order(words: list[str], duration: float) -> None:
    """No word of a transcript is lost or doubled."""
    parts = plan.shares(words, plan.cut_seconds(duration, asked=3))
    assert " ".join(filter(None, parts)).split() == words
