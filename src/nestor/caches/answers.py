"""Whole answers, for some seconds."""

import time
from collections.abc import Callable, Hashable

import orjson

from nestor.caches.bounded import Bounded, Rate
from nestor.strategies.base import Asked, Ranking, Strategy

MEMORY = 16 << 20
"""Bytes."""


class RankingMemory(Bounded[tuple[float, Ranking]]):
    """Answers, and when they were given: shared by the strategies of one store."""

    def __init__(self, most_bytes: int = MEMORY) -> None:
        """Begin empty."""
        super().__init__(most_bytes)


def _never() -> Hashable:
    return None


class CachedStrategy:
    """A strategy that gives an answer again for some seconds, while nothing was written. Off unless someone uses it.

    `generation` is asked before each search: what it returns changes with every write that is to be seen. Without it
    an answer may be as old as `seconds`.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        generation: Callable[[], Hashable] = _never,
        seconds: float = 10.0,
        memory: RankingMemory | None = None,
        options: Hashable = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Search by this strategy; strategies that share a memory are told apart by name and options."""
        self._strategy = strategy
        self._generation = generation
        self._seconds = seconds
        self._memory = RankingMemory() if memory is None else memory
        self._options = options
        self._clock = clock

    @property
    def name(self) -> str:
        """The strategy's own."""
        return self._strategy.name

    @property
    def rate(self) -> Rate:
        """How often an answer was there, be it too old."""
        return self._memory.rate

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return those of the strategy."""
        return self._strategy.indexes(dimension)

    def search(self, asked: Asked) -> Ranking:
        """Return the answer. Raises as the strategy does; an error is not remembered."""
        where = orjson.dumps(asked.where, option=orjson.OPT_SORT_KEYS)
        way = (self.name, self._options, asked.dimension, asked.top_k, where, asked.words)
        # Asked before the search: what is written while it runs makes another generation.
        key = (self._generation(), *way, asked.embedding.tobytes())
        known = self._memory.get(key)
        if known is not None and self._clock() - known[0] < self._seconds:
            return known[1]
        found = self._strategy.search(asked)
        size = asked.embedding.nbytes + len(orjson.dumps([dict(hit.metadata) for hit in found.hits]))
        self._memory.put(key, (self._clock(), found), size=size)
        return found
