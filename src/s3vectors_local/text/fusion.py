"""Reciprocal rank fusion. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

K: Final = 60
"""The constant of the formula as it was published; AWS does not tell its own."""


def fused(rankings: Iterable[Sequence[int]]) -> list[tuple[int, float]]:
    """Return each record of any ranking with its score, the sum of 1 / (60 + place), highest first.

    Places count from 1; a ranking without the record adds nothing. Of equal scores the first record comes first.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, record in enumerate(ranking, start=1):
            scores[record] = scores.get(record, 0.0) + 1 / (K + place)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
