"""A set to measure with: rows, queries, tags to filter by, and the exact answers; made once, kept under bench/.cache.

The files of a folder: `vectors.npy` (N, d) and `queries.npy` (Q, d), float32 of unit length; for each selection
`truth-NAME.npy` (Q, 100), the row numbers of the nearest, best first, -1 where there are fewer; `similarity-NAME.npy`,
their cosine similarities.
"""

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bench.nested import Floats, Ints, Nested

CACHE = Path(__file__).parent / ".cache"
QUERIES = 500
DEPTH = 100
"""How many exact answers are kept for a query."""
SELECTIONS = {"all": 1, "thousandth": 1000, "hundredth": 100, "tenth": 10, "half": 2}
"""Metadata keys, with the number of values that each has: a row has a number below that, at random."""
FILTERED = tuple(name for name in SELECTIONS if name != "all")
BLOCK = 4096
"""Rows at a time: 48 MiB of 3,072 components."""


def tags(rows: Ints, name: str) -> Ints:
    """Return the tag of each row number: as good as random, and the same for every set."""
    salt = list(SELECTIONS).index(name)
    mixed = (rows.astype(np.uint64) + np.uint64(salt << 40)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed >> np.uint64(33)) % np.uint64(SELECTIONS[name])).astype(np.int64)


def asked_tag(query: int, name: str) -> int:
    """Return the tag that a query number asks for: they take turns, so that no cached filter answers them all."""
    return query % SELECTIONS[name]


@dataclass(frozen=True)
class Dataset:
    """A complete folder, read by memory map."""

    folder: Path

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process by name: what was read stays here."""
        return Dataset, (self.folder,)

    @cached_property
    def vectors(self) -> Floats:
        """The rows, (N, d)."""
        vectors: Floats = np.load(self.folder / "vectors.npy", mmap_mode="r")
        return vectors

    @cached_property
    def queries(self) -> Floats:
        """The queries, (Q, d), in memory."""
        queries: Floats = np.load(self.folder / "queries.npy")
        return queries

    @property
    def name(self) -> str:
        """The folder's name, without the time stamp that follows an @."""
        return self.folder.name.rpartition("@")[0] or self.folder.name

    @property
    def rows(self) -> int:
        """N."""
        return int(self.vectors.shape[0])

    @property
    def dimension(self) -> int:
        """The number of components."""
        return int(self.vectors.shape[1])

    def truth(self, name: str = "all") -> Ints:
        """Return the exact answers under a selection, (Q, 100); -1 where there are fewer."""
        truth: Ints = np.load(self.folder / f"truth-{name}.npy")
        return truth

    def similarity(self, name: str = "all") -> Floats:
        """Return the similarities of the exact answers."""
        similarity: Floats = np.load(self.folder / f"similarity-{name}.npy")
        return similarity


def synthetic(rows: int, dimension: int = 3072, *, seed: int = 0) -> Dataset:
    """Return nested rows of the seed, from the cache if they are there."""
    folder = CACHE / f"nested-{rows}x{dimension}-seed{seed}"
    if not folder.exists():
        sources = np.random.default_rng((seed, 4)).choice(rows, min(QUERIES, rows), replace=False)
        blocks = Nested(dimension, seed=seed).blocks(sources)
        _write(folder, rows, dimension, blocks)
    return Dataset(folder)


def from_file(path: Path, queries: Path | None = None) -> Dataset:
    """Return the rows of anybody's .npy, normalised; without queries some rows are taken out to be those."""
    given = np.load(path, mmap_mode="r")
    told = f"{path.stem}-{len(given)}x{given.shape[1]}-asked-by-{queries.stem if queries else 'its-own'}"
    folder = CACHE / f"{told}@{path.stat().st_mtime_ns // 1000}"
    if not folder.exists():
        out = np.zeros(len(given), bool)
        if queries is None:
            out[:: max(10, len(given) // QUERIES)] = True
        apart = _unit(np.load(queries)) if queries else _unit(given[out])
        blocks = ((_unit(given[span][~out[span]]), apart[:0]) for span in _spans(len(given)))
        _write(folder, int(len(given) - out.sum()), given.shape[1], chain([(apart[:0], apart)], blocks))
    return Dataset(folder)


def add_arguments(parser: argparse.ArgumentParser, *, rows: int = 20_000) -> None:
    """Add what chooses a set."""
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--dimension", type=int, default=3072)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", type=Path, help="a .npy of rows to use instead of synthetic ones")
    parser.add_argument("--queries", type=Path, help="a .npy of queries to go with it")


def from_arguments(arguments: argparse.Namespace) -> Dataset:
    """Return the set that was chosen."""
    if arguments.file:
        return from_file(arguments.file, arguments.queries)
    return synthetic(arguments.rows, arguments.dimension, seed=arguments.seed)


def _write(folder: Path, rows: int, dimension: int, blocks: Iterator[tuple[Floats, Floats]]) -> None:
    """Fill the folder; it appears under its name when it is complete."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    vectors = np.lib.format.open_memmap(part / "vectors.npy", "w+", np.float32, (rows, dimension))
    asked, start = [], 0
    for block, queries in blocks:
        kept = block[: rows - start]
        vectors[start : start + len(kept)] = kept
        start += len(kept)
        asked.append(queries)
        if start == rows:
            break
    vectors.flush()
    np.save(part / "queries.npy", np.concatenate(asked))
    _solve(Dataset(part))
    part.rename(folder)


def _solve(made: Dataset) -> None:
    """Write the exact answers: every row against every query, a block at a time."""
    best = {name: _Best(len(made.queries), made.rows) for name in SELECTIONS}
    numbers = np.arange(len(made.queries))
    for span in _spans(made.rows):
        similarity = made.queries @ made.vectors[span].T
        rows = np.arange(span.start, span.stop)
        for name, kept in best.items():
            allowed = tags(rows, name)[None, :] == (numbers % SELECTIONS[name])[:, None]
            kept.add(np.where(allowed, similarity, np.float32(-2)), span.start)
    for name, kept in best.items():
        np.save(made.folder / f"truth-{name}.npy", kept.rows)
        np.save(made.folder / f"similarity-{name}.npy", kept.similarity)


class _Best:
    """The best so far of each query, best first."""

    def __init__(self, queries: int, rows: int) -> None:
        self.rows = np.full((queries, min(DEPTH, rows)), -1)
        self.similarity = np.full(self.rows.shape, -2, np.float32)

    def add(self, similarity: Floats, start: int) -> None:
        """Merge a block's similarities, (Q, rows of the block)."""
        better = similarity > self.similarity[:, -1:]
        for query in np.flatnonzero(better.any(axis=1)):
            found = np.flatnonzero(better[query])
            values = np.concatenate([self.similarity[query], similarity[query, found]])
            order = np.argsort(-values, kind="stable")[: self.rows.shape[1]]
            self.rows[query] = np.concatenate([self.rows[query], found + start])[order]
            self.similarity[query] = values[order]


def _spans(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))


def _unit(rows: np.ndarray[Any, Any]) -> Floats:
    wide = np.asarray(rows, np.float32)
    unit: Floats = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return unit
