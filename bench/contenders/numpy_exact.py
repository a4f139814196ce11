"""Every row against the query: memory-mapped float32, one thread."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, batches, columns
from bench.dataset import Dataset
from bench.nested import Ints

_FEW = 0.2
"""Share of the rows up to which they are gathered; above it, all are read and the others dropped."""


class NumpyExact(Contender):
    """A matrix product and a partial sort."""

    package = "numpy"
    about = "float32 rows in a .npy, memory-mapped; a filter takes the rows first"

    def build(self, made: Dataset, folder: Path) -> Built:
        """Copy the rows."""
        put, index = Stopwatch(), Stopwatch()
        rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, made.vectors.shape)
        for numbers, block in batches(made, 4096):
            with put:
                rows[numbers[0] : numbers[-1] + 1] = block
        with index:
            rows.flush()
        return Built(made.rows, put.seconds, index.seconds)

    def open(self, made: Dataset, folder: Path) -> None:
        """Map the rows."""
        self._rows = np.load(folder / "rows.npy", mmap_mode="r")
        self._tags = columns(np.arange(made.rows))

    def search(self, question: Any, settings: Settings) -> Ints:  # noqa: ARG002
        """Compare with all rows, or with those the filter leaves."""
        vector, k, where = question
        if where is None:
            return _best(self._rows @ vector, k)
        chosen = self._tags[where[0]] == where[1]
        numbers = np.flatnonzero(chosen)
        if len(numbers) < _FEW * len(chosen):
            return numbers[_best(self._rows[numbers] @ vector, k)]
        return numbers[_best((self._rows @ vector)[numbers], k)]


def _best(similarity: np.ndarray[Any, Any], k: int) -> Ints:
    if k < len(similarity):
        kept = np.argpartition(-similarity, k)[:k]
        return kept[np.argsort(-similarity[kept])]
    return np.argsort(-similarity)
