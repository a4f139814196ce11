"""Questions to compare by, and their exhaustive answers."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import orjson

from nestor.domain import FULL_DIMENSION, Embedding, Filter, Metadata
from nestor.errors import InvalidInput
from nestor.ports import VectorRow, VectorRows, Vectors
from nestor.strategies.matching import predicate

TIE = 2e-6
"""Similarities this close are equal: float32 sums in another order differ by as much."""
_TIED = 50
"""Rows kept beyond the first k, for ties at its end."""
_BLOCK = 1024
_CARRIED = frozenset({"source_uri", "text", "code"})
"""Non-filterable in every index."""


class Store(Vectors, VectorRows, Protocol):
    """Searched and read whole."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question to compare by."""

    embedding: Embedding
    words: str | None = None
    own_key: str | None = None
    """Of the segment that asks, which is no answer to itself."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The exhaustive answers, and what the rows are like."""

    answers: tuple[Mapping[str, float], ...]
    """For each question the gain of its keys: k for the nearest, 1 for the k-th and what is as near."""
    rows: int
    filterable_bytes: float
    """Mean of key and filterable metadata."""
    text_bytes: float
    """Mean of the other metadata."""
    where: Filter | None = None
    """What every answer matches, None where anything may be one."""
    matching: int = 0
    """Rows that match it."""


def sampled(store: Store, count: int, *, seed: int = 0) -> list[Sample]:
    """Return some of the stored segments as questions. Raises InvalidInput where there are too few."""
    keys = sorted(store.keys(FULL_DIMENSION))
    if len(keys) < 2:
        raise InvalidInput("There is nothing to compare: ingest some files first.")
    chosen = random.Random(seed).sample(keys, min(count, len(keys)))  # noqa: S311 - a fair choice, no secret
    embeddings, _ = store.fetch(FULL_DIMENSION, chosen)
    return [Sample(embeddings[key], own_key=key) for key in chosen if key in embeddings]


def exhaustive(rows: Iterable[VectorRow], samples: Sequence[Sample], *, k: int, where: Filter | None = None) -> Truth:
    """Return the k nearest of all rows to each question, by comparing every row of full size with it.

    With a filter only rows that match it are answers. Raises InvalidInput when no row does, or there are none.
    """
    matches = predicate(where)
    matching = 0
    best = [_Best(k + _TIED) for _ in samples]
    asked = np.stack([sample.embedding for sample in samples])
    count = filterable = text = 0
    for block in _blocks(rows):
        if answers := [row for row in block if matches(row.metadata)]:
            table = np.stack([row.embedding for row in answers])
            similarity = asked @ (table / np.linalg.norm(table, axis=1, keepdims=True)).T
            keys = [row.key for row in answers]
            for sample, kept, values in zip(samples, best, similarity, strict=True):
                kept.add(keys, values, without=sample.own_key)
        matching += len(answers)
        count += len(block)
        for row in block:
            carried = {name: value for name, value in row.metadata.items() if name in _CARRIED}
            text += _size(carried)
            filterable += len(row.key) + _size({n: v for n, v in row.metadata.items() if n not in _CARRIED})
    if not count:
        raise InvalidInput(f"The index of {FULL_DIMENSION} components is empty: ingest some files first.")
    if not matching:
        raise InvalidInput(f"None of the {count:,} segments matches the filter: there is nothing to compare.")
    answers_by_question = tuple(kept.gains(k) for kept in best)
    return Truth(answers_by_question, count, filterable / count, text / count, where, matching)


def _size(metadata: Metadata) -> int:
    return len(orjson.dumps(metadata)) if metadata else 0


def _blocks(rows: Iterable[VectorRow]) -> Iterator[list[VectorRow]]:
    iterator = iter(rows)
    while block := list(islice(iterator, _BLOCK)):
        yield block


class _Best:
    """The best so far for one question."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: list[tuple[float, str]] = []

    def add(self, keys: Sequence[str], similarity: Embedding, *, without: str | None) -> None:
        worst = self._found[-1][0] if len(self._found) == self._most else -2.0
        new = [
            (float(similarity[at]), keys[at])
            for at in np.flatnonzero(similarity > worst).tolist()
            if keys[at] != without
        ]
        self._found = sorted(self._found + new, key=lambda entry: (-entry[0], entry[1]))[: self._most]

    def gains(self, k: int) -> dict[str, float]:
        gains = {key: float(k - rank) for rank, (_, key) in enumerate(self._found[:k])}
        last = self._found[:k][-1][0] if self._found else 0.0
        return gains | {key: 1.0 for similarity, key in self._found[k:] if similarity >= last - TIE}
