"""FAISS: a graph over half-precision rows, and inverted lists over 8-bit codes."""

from abc import abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, Where, batches, columns
from bench.dataset import Dataset
from bench.nested import Ints

faiss: Any = import_module("faiss")
_TRAINING = 80_000


class _Faiss(Contender):
    package = "faiss-cpu"

    @abstractmethod
    def empty(self, made: Dataset) -> Any:
        """Return an index that is not trained."""

    @abstractmethod
    def parameters(self, settings: Settings, selector: Any) -> Any:
        """Return FAISS's search parameters."""

    def build(self, made: Dataset, folder: Path) -> Built:
        """Train on evenly spaced rows, add all, write one file."""
        put, other = Stopwatch(), Stopwatch()
        index = self.empty(made)
        sample = np.array(made.vectors[:: max(1, made.rows // _TRAINING)])
        with other:
            index.train(sample)
        for _, block in batches(made, 4096):
            with put:
                index.add(block)
        with other:
            faiss.write_index(index, str(folder / "index.faiss"))
        return Built(made.rows, put.seconds, other.seconds)

    def open(self, made: Dataset, folder: Path) -> None:
        """Read the file; searches take one thread each."""
        faiss.omp_set_num_threads(1)
        self._index = faiss.read_index(str(folder / "index.faiss"))
        self._tags = columns(np.arange(made.rows))

    def search(self, question: Any, settings: Settings) -> Ints:
        """Search, under a filter with a bitmap made for it."""
        vector, k, where = question
        found: Ints = self._index.search(vector[None], k, params=self._parameters(settings, where))[1][0]
        return found[found >= 0]

    def _parameters(self, settings: Settings, where: Where | None) -> Any:
        if where is None:
            return self.parameters(settings, None)
        bits = np.packbits(self._tags[where[0]] == where[1], bitorder="little")
        return self.parameters(settings, faiss.IDSelectorBitmap(bits))


class FaissHnsw(_Faiss):
    """A graph."""

    about = "HNSW, 32 links, efConstruction 200, half-precision rows, in memory"
    points: ClassVar = {f"ef {ef}": {"efSearch": ef} for ef in (32, 64, 128, 256)}

    def empty(self, made: Dataset) -> Any:
        """Return the graph."""
        half = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexHNSWSQ(made.dimension, half, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        return index

    def parameters(self, settings: Settings, selector: Any) -> Any:
        """Return how wide to search."""
        return faiss.SearchParametersHNSW(sel=selector, **settings)


class FaissIvf(_Faiss):
    """Inverted lists."""

    about = "inverted lists (up to 4 times the root of the rows), 8-bit codes of all components, in memory"
    points: ClassVar = {
        **{f"nprobe {lists}": {"nprobe": lists} for lists in (4, 8, 16, 32, 64, 128)},
        "all lists": {"nprobe": 10_000},
    }

    def empty(self, made: Dataset) -> Any:
        """Return the lists, as many as training rows of 39 each allow."""
        lists = 1 << max(4, int(np.log2(min(4 * made.rows**0.5, min(made.rows, _TRAINING) / 39))))
        return faiss.index_factory(made.dimension, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)

    def parameters(self, settings: Settings, selector: Any) -> Any:
        """Return how many lists to read."""
        return faiss.SearchParametersIVF(sel=selector, **settings)
