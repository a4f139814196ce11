"""What every strategy takes, and what it gives."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from nestor import codes
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding, Filter, Hit
from nestor.errors import InvalidInput
from nestor.nesting import nest
from nestor.ports import Spent

MAX_TOP_K = 10_000
"""Of S3 Vectors since 2026-06-16."""
COARSE = codes.SIZES
"""Sizes that candidates come from."""
CODE = "code"
"""The metadata that holds a code."""
CANDIDATES = 100
"""One page of S3 Vectors, which is one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to be answered. Raises InvalidInput for a size or a top_k out of range."""

    embedding: Embedding
    """Shape (3072,)."""
    words: str | None = None
    """The question as it was typed, None when a file asks."""
    dimension: int = FULL_DIMENSION
    """Of the similarities that the answer is ordered by."""
    top_k: int = 10
    where: Filter | None = None

    def __post_init__(self) -> None:
        """Check what a caller chooses."""
        check_dimension(self.dimension, DIMENSIONS)
        if not 1 <= self.top_k <= MAX_TOP_K:
            raise InvalidInput(f"top_k is {self.top_k}; it must be 1 to {MAX_TOP_K:,}.")

    def prefix(self, dimension: int | None = None) -> Embedding:
        """Return the question at that size, at its own where none is given."""
        size = self.dimension if dimension is None else dimension
        return nest(self.embedding, [size])[size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What a strategy found, and what it took."""

    hits: tuple[Hit, ...]
    """Best first by the last stage, whose similarities they carry."""
    spent: Spent
    candidates: int = 0
    """Rows that were looked at again in a second stage; 0 where there is none."""
    fallbacks: int = 0
    """Of these, rows that lacked what the strategy lives on and cost an extra request."""
    stages: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage: vectors, fetch, rerank, scan."""


class Strategy(Protocol):
    """One way to answer. Threads may share it."""

    @property
    def name(self) -> str:
        """The name that a user asks for."""
        ...

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return the sizes of the indexes that it reads for an answer of that size."""
        ...

    def search(self, asked: Asked) -> Ranking:
        """Return the best hits. Raises InvalidInput, VectorsError: never an empty answer instead."""
        ...


class Stages:
    """Times stages, milliseconds each; a stage that comes twice is added up."""

    def __init__(self) -> None:
        """Begin with none."""
        self.took: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what happens inside."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.took[stage] = self.took.get(stage, 0.0) + (time.perf_counter() - started) * 1000


def check_dimension(dimension: int, allowed: Iterable[int]) -> None:
    """Raise InvalidInput for a size that has no index."""
    if dimension not in (sizes := tuple(allowed)):
        raise InvalidInput(f"There is no index of {dimension} components: choose one of {sizes}.")


def check_funnel(coarse: int, candidates: int) -> None:
    """Raise InvalidInput for candidates that cannot be had."""
    if coarse not in COARSE:
        raise InvalidInput(
            f"Candidates come from an index of {' or '.join(map(str, COARSE))} components, not {coarse}."
        )
    if not 1 <= candidates <= MAX_TOP_K:
        raise InvalidInput(f"There can be 1 to {MAX_TOP_K:,} candidates, not {candidates}.")


def plain(hit: Hit) -> Hit:
    """Return the hit without its code, which is nothing to show."""
    if CODE not in hit.metadata:
        return hit
    return replace(hit, metadata={name: value for name, value in hit.metadata.items() if name != CODE})


def best(hits: Iterable[Hit], top_k: int) -> tuple[Hit, ...]:
    """Return the nearest, nearest first; equal ones in the order of their keys, so that an answer repeats."""
    return tuple(sorted(hits, key=lambda hit: (hit.distance, hit.key))[:top_k])
