"""How many of the exact answers were found."""

from collections.abc import Sequence
from math import nan

import numpy as np

from bench.dataset import Dataset, asked_tag, tags

TIE = 2e-6
"""Similarities this close are equal: float32 sums in another order differ by as much."""


class Judge:
    """The exact answers of a set under a selection, the first k."""

    def __init__(self, made: Dataset, selection: str, k: int) -> None:
        """Read the answers."""
        self._made = made
        self._selection = selection
        self._truth = made.truth(selection)[:, :k]
        self._similarity = made.similarity(selection)[:, :k]

    def recall(self, query: int, found: Sequence[int]) -> float:
        """Return the share of the answers found, NaN where there are none; an equally near row counts as one."""
        wanted = set(self._truth[query].tolist()) - {-1}
        right = [row for row in dict.fromkeys(found[: self._truth.shape[1]]) if row in wanted or self._ties(query, row)]
        return min(1.0, len(right) / len(wanted)) if wanted else nan

    def _ties(self, query: int, row: int) -> bool:
        last = self._similarity[query, -1]
        allowed = tags(np.array([row]), self._selection)[0] == asked_tag(query, self._selection)
        return bool(allowed and self._made.vectors[row] @ self._made.queries[query] >= last - TIE)
