"""Synthetic nested embeddings: unit float32 rows whose energy falls with the component, so that prefixes are useful.

A row is the normalised sum of a mean, a topic, a subtopic, an asset, a segment and noise. Each is a low-rank gaussian
with a power-law spectrum, times a fall over the components that is steeper for the coarser ones. A query is a stored
row with most of its segment redrawn, plus a shift that all queries share. The rows of a small set are the first ones
of a larger set with the same seed.

    python -m bench.nested --rows 100000 [--dimension 3072] [--seed 0]
    python -m bench.nested --file vectors.npy [--queries queries.npy]
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

TOPICS = 300
SUBTOPICS = 20
POPULARITY = -0.7
"""Exponent: the n-th most popular topic has n ** POPULARITY of the first one's assets."""
SEGMENTS = 4
"""Mean number of rows of an asset, geometric."""
ASSETS = 1024
"""Assets made at a time: the unit of determinism, about 4,096 rows."""
SPECTRUM = -0.1
KNEE = 64
"""The component where the fall of the energy begins."""
KEPT = 0.2
"""The share of its source's segment that a query has; the rest is drawn anew."""
SHIFT = 0.15
NOISE = 0.15
MEAN = (0.45, 0.5)
"""Weight and fall, as in `Level`."""


@dataclass(frozen=True, slots=True)
class Level:
    """One layer of detail: how much of it, how steeply it falls over the components, of what rank."""

    weight: float
    fall: float
    rank: int


TOPIC = Level(0.40, 0.50, 64)
SUBTOPIC = Level(0.40, 0.40, 128)
ASSET = Level(0.25, 0.35, 512)
SEGMENT = Level(0.75, 0.27, 900)


class Nested:
    """The distribution that a seed and a dimension give."""

    def __init__(self, dimension: int = 3072, *, seed: int = 0) -> None:
        """Draw what all rows share."""
        self.dimension = dimension
        self.seed = seed

    def blocks(self, sources: Ints | None = None) -> Iterator[tuple[Floats, Floats]]:
        """Yield without end blocks of rows, each with the queries made from the `sources` (row numbers) in it."""
        wanted = np.sort(sources) if sources is not None else np.empty(0, np.int64)
        start = number = 0
        while True:
            draw = np.random.default_rng((self.seed, 1, number))
            rooms = draw.geometric(1 / SEGMENTS, ASSETS)
            base, latent = self._coarse(draw, rooms), _latent(draw, int(rooms.sum()), SEGMENT)
            here = wanted[(wanted >= start) & (wanted < start + len(latent))] - start
            rows = self._finish(base + latent @ self._segment, draw)
            yield rows, self._asked(base[here], latent[here], number)
            start, number = start + len(rows), number + 1

    def _coarse(self, draw: np.random.Generator, rooms: Ints) -> Floats:
        topic = draw.choice(TOPICS, ASSETS, p=_popularity(TOPICS))
        subtopic = topic * SUBTOPICS + draw.choice(SUBTOPICS, ASSETS, p=_popularity(SUBTOPICS))
        assets = _latent(draw, ASSETS, ASSET) @ self._asset
        shared: Floats = self._mean + self._topics[topic] + self._subtopics[subtopic] + assets
        return np.repeat(shared, rooms, axis=0)

    def _asked(self, base: Floats, latent: Floats, number: int) -> Floats:
        draw = np.random.default_rng((self.seed, 2, number))
        fresh = _latent(draw, len(latent), SEGMENT)
        mixed: Floats = np.float32(KEPT) * latent + np.float32(1 - KEPT) * fresh
        return self._finish(base + mixed @ self._segment + self._shift, draw)

    def _finish(self, rows: Floats, draw: np.random.Generator) -> Floats:
        noise = draw.standard_normal(rows.shape, dtype=np.float32)
        noise *= NOISE / self.dimension**0.5
        rows += noise
        lengths: Floats = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        rows /= lengths[:, None]
        return rows

    @cached_property
    def _mean(self) -> Floats:
        mean: Floats = self._matrix(0, Level(*MEAN, rank=1))[0]
        return mean

    @cached_property
    def _shift(self) -> Floats:
        shift: Floats = self._matrix(1, Level(SHIFT, MEAN[1], rank=1))[0]
        return shift

    @cached_property
    def _topics(self) -> Floats:
        return self._members(2, TOPIC, TOPICS)

    @cached_property
    def _subtopics(self) -> Floats:
        return self._members(3, SUBTOPIC, TOPICS * SUBTOPICS)

    @cached_property
    def _asset(self) -> Floats:
        return self._matrix(4, ASSET)

    @cached_property
    def _segment(self) -> Floats:
        return self._matrix(5, SEGMENT)

    def _members(self, stream: int, level: Level, count: int) -> Floats:
        latent = _latent(np.random.default_rng((self.seed, 3, stream)), count, level)
        members: Floats = latent @ self._matrix(stream, level)
        return members

    def _matrix(self, stream: int, level: Level) -> Floats:
        draw = np.random.default_rng((self.seed, 0, stream))
        columns = (1 + np.arange(self.dimension) / KNEE) ** -level.fall
        columns *= level.weight / np.sqrt(np.sum(columns**2))
        return draw.standard_normal((level.rank, self.dimension), dtype=np.float32) * columns.astype(np.float32)


def _latent(draw: np.random.Generator, count: int, level: Level) -> Floats:
    spectrum = np.arange(1, level.rank + 1) ** SPECTRUM
    spectrum /= np.sqrt(np.sum(spectrum**2))
    return draw.standard_normal((count, level.rank), dtype=np.float32) * spectrum.astype(np.float32)


def _popularity(count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    weights = np.arange(1, count + 1, dtype=np.float64) ** POPULARITY
    shares: np.ndarray[Any, np.dtype[np.float64]] = weights / weights.sum()
    return shares


def main() -> None:
    """Make a set, or find it in the cache, and print where it is."""
    from bench import dataset

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    dataset.add_arguments(parser)
    made = dataset.from_arguments(parser.parse_args())
    print(made.folder, made.rows, made.dimension)


if __name__ == "__main__":
    main()
