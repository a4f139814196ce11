"""BM25 over postings. Pure.

score = sum over the query's terms of weight * idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average length)),
idf = ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative; N counts the documents with at least one term.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Final

import numpy as np
import numpy.typing as npt

K1: Final = 1.2
B: Final = 0.75

Records = np.ndarray[Any, np.dtype[np.int64]]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Postings:
    """Where one term stands: records in ascending order, how often it stands there, and how many terms those have."""

    records: Records
    counts: npt.NDArray[np.integer[Any]]
    lengths: npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Records in ascending order, and the score of each."""

    records: Records
    scores: Float64

    def score(self, record: int) -> float | None:
        """Return a record's score, None where it is not ranked."""
        place = int(np.searchsorted(self.records, record))
        found = place < len(self.records) and self.records[place] == record
        return float(self.scores[place]) if found else None

    def best(self, k: int) -> list[int]:
        """Return the k records of the highest scores, highest first; of equal ones the first record comes first."""
        places = np.arange(len(self.scores))
        if k < len(self.scores):
            bound = -np.partition(-self.scores, k - 1)[k - 1]
            places = np.flatnonzero(self.scores >= bound)
        order = np.argsort(-self.scores[places], kind="stable")[:k]
        return [int(record) for record in self.records[places[order]]]


def rank(found: Sequence[tuple[Postings, int]], *, documents: int, length: int) -> Ranking:
    """Score the documents that hold one term or more; each term with the times it stands in the query.

    `documents` and `length` are how many documents there are and how many terms they hold together.
    """
    average = length / max(1, documents)
    return total([_term(postings, weight, documents, average) for postings, weight in found])


def total(rankings: Sequence[Ranking]) -> Ranking:
    """Add the scores up, record by record."""
    if not rankings:
        return Ranking(np.empty(0, np.int64), np.empty(0, np.float64))
    if len(rankings) == 1:
        return rankings[0]
    # Stable is merge sort here, and these are few sorted runs.
    every = np.sort(np.concatenate([ranking.records for ranking in rankings]), kind="stable")
    records = every[np.flatnonzero(np.diff(every, prepend=-1))]
    scores = np.zeros(len(records), np.float64)
    for ranking in rankings:
        scores[np.searchsorted(records, ranking.records)] += ranking.scores
    return Ranking(records, scores)


def _term(postings: Postings, weight: int, documents: int, average: float) -> Ranking:
    holding = len(postings.records)
    idf = log(1 + (documents - holding + 0.5) / (holding + 0.5))
    counts = postings.counts.astype(np.float64)
    scores = weight * idf * (K1 + 1) * counts / (counts + K1 * (1 - B + B * postings.lengths / average))
    return Ranking(postings.records, scores)
