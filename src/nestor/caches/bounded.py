"""Values in memory, bounded by bytes."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")

_ENTRY = 200
"""Bytes of an entry beside its value, about."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a cache knew."""

    hits: int
    misses: int

    @property
    def share(self) -> float:
        """Hits among all look-ups, 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class Bounded(Generic[V]):
    """The most recently used values that fit in so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        """Begin empty."""
        self._most = most_bytes
        self._bytes = 0
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = 0

    @property
    def rate(self) -> Rate:
        """How often `get` knew."""
        return Rate(self._hits, self._misses)

    def get(self, key: Hashable) -> V | None:
        """Return the value, None when there is none."""
        with self._lock:
            entry = self._values.get(key)
            if entry is None:
                self._misses += 1
                return None
            self._hits += 1
            self._values.move_to_end(key)
            return entry[0]

    def put(self, key: Hashable, value: V, *, size: int) -> None:
        """Keep the value of that many bytes; what was used least recently goes."""
        with self._lock:
            self._forget(key)
            self._values[key] = (value, size + _ENTRY)
            self._bytes += size + _ENTRY
            while self._bytes > self._most:
                self._forget(next(iter(self._values)))

    def drop(self, key: Hashable) -> None:
        """Forget the value."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        _, size = self._values.pop(key, (None, 0))
        self._bytes -= size
