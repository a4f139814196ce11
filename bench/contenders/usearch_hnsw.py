"""usearch: a graph over bfloat16 rows, memory-mapped."""

from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, batches
from bench.dataset import Dataset
from bench.nested import Ints

Index: Any = import_module("usearch.index").Index


class UsearchHnsw(Contender):
    """A graph in one file."""

    package = "usearch"
    about = "HNSW, 32 links, expansion 200, bfloat16 rows, memory-mapped; its Python API has no filter"
    points: ClassVar = {f"ef {ef}": {"expansion": ef} for ef in (32, 64, 128, 256)}
    filters = False

    def build(self, made: Dataset, folder: Path) -> Built:
        """Add all, write one file."""
        put, save = Stopwatch(), Stopwatch()
        index = Index(ndim=made.dimension, metric="ip", dtype="bf16", connectivity=32, expansion_add=200)
        for numbers, block in batches(made, 4096):
            with put:
                index.add(numbers, block, threads=2)
        with save:
            index.save(str(folder / "index.usearch"))
        return Built(made.rows, put.seconds, save.seconds)

    def open(self, made: Dataset, folder: Path) -> None:  # noqa: ARG002
        """Map the file."""
        self._index = Index.restore(str(folder / "index.usearch"), view=True)

    def search(self, question: Any, settings: Settings) -> Ints:
        """Search."""
        vector, k, _ = question
        if self._index.expansion_search != settings["expansion"]:
            self._index.expansion_search = settings["expansion"]
        found: Ints = self._index.search(vector, k, threads=1).keys.astype("int64")
        return found
