"""The shape that every contender has."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np

from bench import memory
from bench.dataset import FILTERED, Dataset, tags
from bench.nested import Floats, Ints

FORGET_AFTER = 100_000
"""Rows."""

Where = tuple[str, int]
"""A filter: the metadata key, and the number it must equal."""
Settings = Mapping[str, Any]


class Stopwatch:
    """Seconds spent in its `with` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds += time.perf_counter() - self._began


@dataclass(frozen=True, slots=True)
class Built:
    """How long `rows` rows took: the calls that take them, and those that train, index and save."""

    rows: int
    put_seconds: float
    index_seconds: float


class Contender(ABC):
    """One library with one kind of index. Its constructor imports the library and does nothing else."""

    package: ClassVar[str]
    """The distribution whose version is told."""
    about: ClassVar[str]
    """What is built, for the report."""
    points: ClassVar[Mapping[str, Settings]] = {"as it comes": {}}
    """The settings of a search to try, cheapest first."""
    filters: ClassVar[bool] = True

    @abstractmethod
    def build(self, made: Dataset, folder: Path) -> Built:
        """Put all rows and leave everything in the folder."""

    @abstractmethod
    def open(self, made: Dataset, folder: Path) -> None:
        """Be ready to search what lies in the folder."""

    def encode(self, vector: Floats, k: int, where: Where | None) -> Any:
        """Return a question as `search` takes it: what a caller would have at hand, so no time is taken."""
        return vector, k, where

    @abstractmethod
    def search(self, question: Any, settings: Settings) -> Sequence[int] | Ints:
        """Return row numbers, best first; called from several threads at once."""

    def process(self) -> int:
        """Return the id of the process that holds the index."""
        return os.getpid()

    def note(self) -> str:
        """Return what the library says about itself."""
        return ""

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of everything."""


def batches(made: Dataset, size: int) -> Iterator[tuple[Ints, Floats]]:
    """Yield row numbers and rows in memory; what was read makes room in the page cache for what is built."""
    forgotten = 0
    for start in range(0, made.rows, size):
        if start - forgotten >= FORGET_AFTER:
            memory.forget(made.folder)
            forgotten = start
        rows = np.array(made.vectors[start : start + size])
        yield np.arange(start, start + len(rows)), rows


def columns(rows: Ints) -> dict[str, Ints]:
    """Return the metadata of rows, a column each."""
    return {name: tags(rows, name) for name in FILTERED}


def metadata(rows: Ints) -> list[dict[str, int]]:
    """Return the metadata of rows, a mapping each."""
    lists = {name: column.tolist() for name, column in columns(rows).items()}
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
