"""zvec: a graph over 8-bit codes, refined by the float32 rows, in memory-mapped files with a write-ahead log."""

from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, batches, metadata
from bench.dataset import FILTERED, Dataset

zvec: Any = import_module("zvec")
zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=2)


class ZvecHnsw(Contender):
    """A collection on disk."""

    package = "zvec"
    about = "HNSW, 32 links, efConstruction 200, 8-bit codes and float32 rows on disk, inverted index on metadata"
    points: ClassVar = {
        "ef 64": {"ef": 64},
        "ef 64, refined": {"ef": 64, "is_using_refiner": True},
        "ef 128, refined": {"ef": 128, "is_using_refiner": True},
        "ef 256, refined": {"ef": 256, "is_using_refiner": True},
    }

    def build(self, made: Dataset, folder: Path) -> Built:
        """Insert, then optimise."""
        put, index = Stopwatch(), Stopwatch()
        collection = zvec.create_and_open(str(folder / "collection"), _schema(made.dimension))
        for numbers, block in batches(made, 500):
            fields = metadata(numbers)
            documents = [
                zvec.Doc(str(number), vectors={"row": row}, fields=field)
                for number, row, field in zip(numbers, block, fields, strict=True)
            ]
            with put:
                collection.insert(documents)
        with index:
            collection.optimize()
            collection.flush()
        return Built(made.rows, put.seconds, index.seconds)

    def open(self, made: Dataset, folder: Path) -> None:  # noqa: ARG002
        """Open for reading."""
        option = zvec.CollectionOption(read_only=True, enable_mmap=True)
        self._collection = zvec.open(str(folder / "collection"), option)

    def search(self, question: Any, settings: Settings) -> list[int]:
        """Search, under a filter by its inverted index."""
        vector, k, where = question
        query = zvec.Query("row", vector=vector, param=zvec.HnswQueryParam(**settings))
        text = None if where is None else f"{where[0]} = {where[1]}"
        found = self._collection.query(query, topk=k, filter=text, output_fields=[])
        return [int(document.id) for document in found]


def _schema(dimension: int) -> Any:
    graph = zvec.HnswIndexParam(
        metric_type=zvec.MetricType.IP, m=32, ef_construction=200, quantize_type=zvec.QuantizeType.INT8
    )
    row = zvec.VectorSchema("row", zvec.DataType.VECTOR_FP32, dimension, graph)
    fields = [zvec.FieldSchema(name, zvec.DataType.INT64, index_param=zvec.InvertIndexParam()) for name in FILTERED]
    return zvec.CollectionSchema("rows", fields=fields, vectors=[row])
