"""Exact search in the embedded engine, in process: rows put a second, and milliseconds a query at each size.

Random unit vectors: exact search takes the same time for any data, and finds everything.

    python bench/engine.py [--rows 10000] [--queries 50] [--json]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from s3vectors_local import Engine, open_engine
from s3vectors_local.model import Metric, NewIndex, NewVector, Query

DIMENSIONS = (256, 384, 1024, 3072)
BATCH = 500


def measure(engine: Engine, dimension: int, rows: int, queries: int) -> dict[str, Any]:
    """Fill an index and ask it."""
    generator = np.random.default_rng(dimension)
    name = f"embeddings-{dimension}d"
    engine.create_index("bench", NewIndex(name=name, dimension=dimension, metric=Metric.COSINE))
    seconds = 0.0
    for start in range(0, rows, BATCH):
        block = generator.normal(size=(min(BATCH, rows - start), dimension)).astype(np.float32)
        vectors = [NewVector(f"key-{start + place}", row, {}) for place, row in enumerate(block)]
        begun = time.perf_counter()
        engine.put_vectors("bench", name, vectors)
        seconds += time.perf_counter() - begun
    asked = generator.normal(size=(queries, dimension)).astype(np.float32)
    first, *rest = [_milliseconds(engine, name, vector) for vector in (asked[0], *asked)]
    return {
        "dimension": dimension,
        "rows": rows,
        "puts_per_second": round(rows / seconds),
        "first_query_ms": round(first, 2),
        "p50_ms": round(float(np.percentile(rest, 50)), 2),
        "p99_ms": round(float(np.percentile(rest, 99)), 2),
    }


def _milliseconds(engine: Engine, name: str, vector: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    begun = time.perf_counter()
    engine.query_vectors("bench", name, Query(vector, 10, None, None, metadata=False, distance=True))
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="print one JSON line last")
    arguments = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder, open_engine(Path(folder)) as engine:
        engine.create_bucket("bench")
        print("   size      rows    puts/s  first ms    p50 ms    p99 ms")
        for dimension in DIMENSIONS:
            lines.append(measure(engine, dimension, arguments.rows, arguments.queries))
            print("  ".join(f"{value:>8}" for value in lines[-1].values())[1:])
    if arguments.json:
        print(json.dumps({"indexes": lines}))


if __name__ == "__main__":
    main()
