"""hnswlib: a graph over float32 rows, in memory."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, Where, batches, columns
from bench.dataset import Dataset
from bench.nested import Ints

hnswlib: Any = import_module("hnswlib")


class HnswlibHnsw(Contender):
    """A graph in one file."""

    package = "hnswlib"
    about = "HNSW, 32 links, efConstruction 200, float32 rows, in memory; a filter is a Python function called a row"
    points: ClassVar = {f"ef {ef}": {"ef": ef} for ef in (100, 200, 400)}

    def build(self, made: Dataset, folder: Path) -> Built:
        """Add all, write one file."""
        put, save = Stopwatch(), Stopwatch()
        index = hnswlib.Index(space="ip", dim=made.dimension)
        index.init_index(made.rows, M=32, ef_construction=200)
        for numbers, block in batches(made, 4096):
            with put:
                index.add_items(block, numbers, num_threads=2)
        with save:
            index.save_index(str(folder / "index.hnswlib"))
        return Built(made.rows, put.seconds, save.seconds)

    def open(self, made: Dataset, folder: Path) -> None:
        """Read the file."""
        self._index = hnswlib.Index(space="ip", dim=made.dimension)
        self._index.load_index(str(folder / "index.hnswlib"))
        self._tags: Mapping[str, list[int]] = {
            name: column.tolist() for name, column in columns(np.arange(made.rows)).items()
        }
        self._counts = Counter((name, tag) for name, column in self._tags.items() for tag in column)
        self._ef = 0

    def search(self, question: Any, settings: Settings) -> Ints:
        """Search; nothing where the graph walk finds fewer than k, as the library answers with an error."""
        vector, k, where = question
        if self._ef != settings["ef"]:
            self._ef = settings["ef"]
            self._index.set_ef(self._ef)
        k = min(k, self._index.element_count if where is None else self._counts[where])
        with contextlib.suppress(RuntimeError):
            found: Ints = self._index.knn_query(vector, k, num_threads=1, filter=self._filter(where))[0][0]
            return found.astype(np.int64)
        return np.empty(0, np.int64)

    def _filter(self, where: Where | None) -> Callable[[int], bool] | None:
        if where is None:
            return None
        column, wanted = self._tags[where[0]], where[1]
        return lambda row: column[row] == wanted
