"""The engine in this process, with what it does by itself."""

from pathlib import Path
from typing import Any

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, Where, batches, metadata
from bench.dataset import Dataset
from bench.nested import Floats
from s3vectors_local import Engine, open_engine
from s3vectors_local.model import Metric, NewIndex, NewVector, Query

BUCKET, INDEX = "bench", "rows"
BATCH = 500


class EngineInside(Contender):
    """A folder on disk."""

    package = "nestor"
    about = "this engine in process: durable puts of 500, and what it does by itself; no settings"

    def build(self, made: Dataset, folder: Path) -> Built:
        """Put 500 at a time, each batch durable; then wait for the derived index."""
        put, index = Stopwatch(), Stopwatch()
        with open_engine(folder) as engine:
            create(engine, INDEX, made.dimension)
            for numbers, block in batches(made, BATCH):
                parts = zip(map(str, numbers.tolist()), block, metadata(numbers), strict=True)
                vectors = [NewVector(key, row, fields) for key, row, fields in parts]
                with put:
                    engine.put_vectors(BUCKET, INDEX, vectors)
            with index:
                settle(engine)
        return Built(made.rows, put.seconds, index.seconds)

    def open(self, made: Dataset, folder: Path) -> None:  # noqa: ARG002
        """Open the folder."""
        self._engine = open_engine(folder)

    def encode(self, vector: Floats, k: int, where: Where | None) -> Query:
        """Return the engine's own value."""
        return Query(vector, k, None if where is None else {where[0]: {"$eq": where[1]}}, distance=True)

    def search(self, question: Any, settings: Settings) -> list[int]:  # noqa: ARG002
        """Query."""
        page, _ = self._engine.query_vectors(BUCKET, INDEX, question)
        return [int(hit.key) for hit in page.items]

    def note(self) -> str:
        """Return what the engine tells of its search."""
        return str(self._engine.search_state(self._engine.get_index(BUCKET, INDEX)))

    def close(self) -> None:
        """Close the folder."""
        self._engine.close()


def create(engine: Engine, index: str, dimension: int) -> None:
    """Create the bucket and the index."""
    engine.create_bucket(BUCKET)
    engine.create_index(BUCKET, NewIndex(index, dimension, Metric.COSINE))


def settle(engine: Engine) -> None:
    """Wait until all rows are searched the way the engine chooses for so many: it would get there by itself."""
    engine.refresh(BUCKET, INDEX)
    state = engine.search_state(engine.get_index(BUCKET, INDEX))
    if state.lists and state.pending:
        engine.build(BUCKET, INDEX)
