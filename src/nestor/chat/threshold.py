"""How similar a passage must be to count as relevant, known for each embedder and size.

Similarities of one embedder mean nothing for another, and the best of many unrelated passages is more similar than the
best of few. So what is measured is the very thing that decides: the similarity of the *best* hit that a hundred
background questions, about everyday subjects of every kind, get from this index at this size. The threshold is the
similarity that 10 % of them exceed, as split conformal prediction takes a quantile of calibration scores: a question as
unrelated as these finds something in at most 10 % of all cases. Of a collection that can answer some of them, fewer.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

FALSE_POSITIVES = 0.1
"""Share of the unrelated questions that find something all the same; half of it would lose 5 % of the related ones."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a similarity must exceed."""

    similarity: float
    origin: str
    """`measured here`, `measured on other data`, or `not measured`."""


SHIPPED: Mapping[str, Mapping[int, float]] = {"nestor-local-1": {256: 0.37, 384: 0.36, 1024: 0.24, 3072: 0.18}}
"""By the beginning of the embedder's id: between what bench/chat.py measures in two collections; see docs/chat.md."""
UNMEASURED = 0.25
"""For any other embedder, Nova among them: a guess, low enough to say rather too rarely that there is nothing."""


def shipped(embedder: str, dimension: int) -> Threshold:
    """Return the threshold for an index in which nothing was measured."""
    for beginning, known in SHIPPED.items():
        if embedder.startswith(beginning):
            return Threshold(known[dimension], "measured on other data")
    return Threshold(UNMEASURED, "not measured")


def of_unrelated(similarities: Sequence[float], *, false_positives: float = FALSE_POSITIVES) -> float:
    """Return what a further unrelated question exceeds with at most this probability, given the best hits of others.

    With too few of them to promise that it is the highest one.
    """
    count = len(similarities)
    place = math.ceil((count + 1) * (1 - false_positives))
    return sorted(similarities)[min(place, count) - 1]


@cache
def background() -> tuple[str, ...]:
    """Return the questions that the thresholds are measured with."""
    return tuple((files(__package__) / "background.txt").read_text(encoding="utf-8").splitlines())
