import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3vectors_local.text.fusion import fused

RANKINGS = st.lists(st.lists(st.integers(1, 12), unique=True), max_size=4)


def test_worked_out() -> None:
    """Two rankings of three records, by hand."""
    records, scores = zip(*fused([[7, 8], [8, 9]]), strict=True)
    assert records == (8, 7, 9)
    assert scores == pytest.approx((1 / 62 + 1 / 61, 1 / 61, 1 / 62))


def test_equals() -> None:
    """Of equal scores the first record comes first, in whatever order the rankings come."""
    assert [record for record, _ in fused([[5], [3]])] == [3, 5]
    assert fused([[3], [5]]) == fused([[5], [3]])


@given(RANKINGS)
def test_naive(rankings: list[list[int]]) -> None:
    """The scores are those of the formula, written down plainly; every record comes once, highest first."""
    found = fused(rankings)
    every = {record for ranking in rankings for record in ranking}
    expected = {
        record: sum(1 / (60 + 1 + ranking.index(record)) for ranking in rankings if record in ranking)
        for record in every
    }
    assert dict(found) == pytest.approx(expected)
    assert sorted(record for record, _ in found) == sorted(every)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
