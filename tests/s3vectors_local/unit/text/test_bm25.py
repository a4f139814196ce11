from math import log

import numpy as np
import pytest

from s3vectors_local.text.bm25 import Postings, Ranking, rank, total


def _postings(*found: tuple[int, int, int]) -> Postings:
    records, counts, lengths = zip(*found, strict=True) if found else ((), (), ())
    return Postings(np.array(records, np.int64), np.array(counts, np.uint16), np.array(lengths, np.uint16))


def _ranking(**scores: float) -> Ranking:
    return Ranking(np.array([int(name[1:]) for name in scores], np.int64), np.array([*scores.values()], np.float64))


def test_formula() -> None:
    """One term in two of three documents: the figures worked out by hand."""
    ranking = rank([(_postings((1, 1, 2), (3, 2, 6)), 1)], documents=3, length=12)
    idf = log(1 + 1.5 / 2.5)
    assert ranking.records.tolist() == [1, 3]
    # k1 * (1 - b + b * length / average) is 1.2 * 0.625 = 0.75 and 1.2 * 1.375 = 1.65.
    assert ranking.scores.tolist() == pytest.approx([idf * 2.2 / 1.75, idf * 4.4 / 3.65])


def test_a_term_in_every_document_counts() -> None:
    """The idf never falls to nothing, not even where every document holds the term."""
    ranking = rank([(_postings((1, 1, 1)), 1)], documents=1, length=1)
    assert ranking.scores.tolist() == pytest.approx([log(1 + 0.5 / 1.5)])


def test_weights_and_sums() -> None:
    """Terms add up, and each counts as often as it stands in the query."""
    first, second = _postings((1, 1, 4), (2, 1, 4)), _postings((2, 3, 4), (5, 1, 4))
    one, two = rank([(first, 1)], documents=9, length=36), rank([(second, 1)], documents=9, length=36)
    both = rank([(first, 2), (second, 1)], documents=9, length=36)
    assert both.records.tolist() == [1, 2, 5]
    expected = [2 * one.scores[0], 2 * one.scores[1] + two.scores[0], two.scores[1]]
    assert both.scores.tolist() == pytest.approx(expected)


def test_nothing_found() -> None:
    """No term, an unknown term, an empty index: no record."""
    assert total([]).records.tolist() == []
    assert rank([], documents=0, length=0).best(3) == []
    assert rank([(_postings(), 1)], documents=0, length=0).best(3) == []


@pytest.mark.parametrize(("k", "best"), [(1, [4]), (2, [4, 2]), (3, [4, 2, 3]), (4, [4, 2, 3, 1]), (9, [4, 2, 3, 1])])
def test_best(k: int, best: list[int]) -> None:
    """The highest first; of equal scores the first record first, also where the cut falls among equals."""
    assert _ranking(r1=0.5, r2=2.0, r3=2.0, r4=3.0).best(k) == best


def test_score_of_a_record() -> None:
    """A record has its score; one that is not ranked has none, wherever it would stand."""
    ranking = _ranking(r2=0.5, r4=1.5)
    assert [ranking.score(record) for record in range(1, 6)] == [None, 0.5, None, 1.5, None]
