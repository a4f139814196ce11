"""LanceDB: inverted lists over 8-bit codes, refined by the float32 rows, in files."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, batches, columns
from bench.dataset import FILTERED, Dataset
from bench.nested import Floats, Ints

lancedb: Any = import_module("lancedb")
kinds: Any = import_module("lancedb.index")
pa: Any = import_module("pyarrow")


class LancedbIvf(Contender):
    """A table on disk."""

    package = "lancedb"
    about = "inverted lists (the root of the rows), 8-bit codes and float32 rows on disk, bitmaps on metadata"
    points: ClassVar = {
        **{f"nprobes {lists}, refined": {"nprobes": lists} for lists in (4, 8, 16, 32, 64, 128)},
        "all lists, refined": {"nprobes": 10_000},
    }

    def build(self, made: Dataset, folder: Path) -> Built:
        """Add all, then index the rows and the metadata."""
        put, index = Stopwatch(), Stopwatch()
        schema = _schema(made.dimension)
        table = lancedb.connect(str(folder)).create_table("rows", schema=schema)
        for numbers, block in batches(made, 4096):
            arrow = _arrow(schema, numbers, block)
            with put:
                table.add(arrow)
        with index:
            table.optimize(cleanup_older_than=timedelta(0))  # only before: it joins the lists of an index
            table.create_index("row", config=kinds.IvfSq(distance_type="cosine", num_partitions=int(made.rows**0.5)))
            for name in FILTERED:
                table.create_index(name, config=kinds.Bitmap())
        return Built(made.rows, put.seconds, index.seconds)

    def open(self, made: Dataset, folder: Path) -> None:  # noqa: ARG002
        """Open the table."""
        self._table = lancedb.connect(str(folder)).open_table("rows")

    def search(self, question: Any, settings: Settings) -> Ints:
        """Search, the filter first."""
        vector, k, where = question
        query = self._table.search(vector, vector_column_name="row").distance_type("cosine").limit(k)
        query = query.nprobes(settings["nprobes"]).refine_factor(2)
        if where is not None:
            query = query.where(f"{where[0]} = {where[1]}", prefilter=True)
        found: Ints = query.select(["id", "_distance"]).to_arrow()["id"].to_numpy()
        return found


def _schema(dimension: int) -> Any:
    numbers = [pa.field(name, pa.int64()) for name in ("id", *FILTERED)]
    return pa.schema([pa.field("row", pa.list_(pa.float32(), dimension)), *numbers])


def _arrow(schema: Any, numbers: Ints, block: Floats) -> Any:
    rows = pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(block)), block.shape[1])
    return pa.Table.from_arrays([rows, pa.array(numbers), *map(pa.array, columns(numbers).values())], schema=schema)
