"""Rows of several shapes, coarse indexes of them made by hand, and an engine that uses those."""

import importlib.util
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from s3vectors_local.engine import Engine
from s3vectors_local.model import Float32, Metric, NewIndex, NewVector
from s3vectors_local.search import partition
from s3vectors_local.search.coarse import Coarse, Depth, Tuning
from s3vectors_local.search.codes import Encoder
from s3vectors_local.storage import catalogue, codec, records, slab
from s3vectors_local.storage.slab import Rows

SHAPES: Final[dict[str, Callable[[np.random.Generator, int, int], Any]]] = {
    "gaussian": lambda draw, count, d: draw.standard_normal((count, d)),
    "duplicates": lambda draw, count, d: draw.standard_normal((20, d))[draw.integers(20, size=count)],
    "all equal": lambda draw, count, d: np.full((count, d), draw.random()),
    "many zeros": lambda draw, count, d: draw.standard_normal((count, d)) * (draw.random((count, 1)) < 0.5),
    "one outlier": lambda draw, count, d: np.vstack([draw.standard_normal((count - 1, d)), np.full((1, d), 1e6)]),
    "far from zero": lambda draw, count, d: draw.standard_normal((count, d)) + 3,
    "huge": lambda draw, count, d: draw.standard_normal((count, d)) * 1e37,
    "tiny": lambda draw, count, d: draw.standard_normal((count, d)) * 1e-37,
    "subnormal": lambda draw, count, d: draw.standard_normal((count, d)) * 1e-43,
    "one huge": lambda draw, count, d: np.vstack([draw.standard_normal((count - 1, d)), np.full((1, d), 3e38)]),
}


@pytest.fixture(params=list(SHAPES))
def drawn(request: pytest.FixtureRequest) -> Callable[..., Float32]:
    """Draw rows, shape (count, dimension), none of them zero where the metric forbids it; once for each shape."""

    def draw(count: int, dimension: int, metric: Metric, seed: int = 0) -> Float32:
        rows = SHAPES[request.param](np.random.default_rng(seed), count, dimension).astype(np.float32)
        if metric is Metric.COSINE:
            rows[~rows.any(axis=1)] = 1
        return np.asarray(rows, np.float32)

    return draw


@pytest.fixture
def slabbed() -> Callable[[Float32], Rows]:
    """Return rows as they lie in a slab; the record of row n is n."""
    return lambda rows: slab.rows(list(rows), list(range(len(rows))), dimension=rows.shape[1])


@pytest.fixture
def coarse_of() -> Callable[..., Coarse]:
    """Make a coarse index of the rows of a slab that are alive, in so many lists; it looks everywhere."""

    def make(rows: Rows, metric: Metric, *, lists: int, dead: Collection[int] = (), generation: int = 1) -> Coarse:
        slots = np.setdiff1d(np.arange(len(rows)), np.array(list(dead), np.int64))
        alive = rows[slots]
        encoder = Encoder(metric, rows["data"].shape[1])
        codes = encoder.encode(alive["data"], alive["norm"])
        centres = partition.centroids(np.ascontiguousarray(encoder.reduced(alive["data"], alive["norm"])), lists)
        lists_of = partition.assigned(codes, centres)
        order = np.argsort(lists_of, kind="stable")
        places = np.full(len(rows), -1, np.int32)
        places[slots[order]] = np.arange(len(slots))
        starts = np.concatenate([[0], np.cumsum(np.bincount(lists_of, minlength=lists))])
        everywhere = Depth(lists, len(slots), 1.0)
        return Coarse(
            generation,
            1,
            len(rows),
            encoder,
            centres,
            starts,
            slots[order].astype(np.int32),
            places,
            codes.take(order),
            Tuning(everywhere, everywhere, everywhere),
        )

    return make


@pytest.fixture
def filled(engine: Engine) -> Callable[..., Engine]:
    """Put rows into the index `demo/rows`, row n under the key `n`, 500 at a time, from a number on."""

    def fill(rows: Float32, metric: Metric, *, first: int = 0, metadata: Any = lambda _: {}) -> Engine:
        if not first:
            engine.create_index("demo", NewIndex("rows", rows.shape[1], metric))
        vectors = [NewVector(str(first + number), row, metadata(first + number)) for number, row in enumerate(rows)]
        for start in range(0, len(vectors), 500):
            engine.put_vectors("demo", "rows", vectors[start : start + 500])
        return engine

    return fill


@pytest.fixture
def adopted(coarse_of: Callable[..., Coarse]) -> Callable[..., Coarse]:
    """Give `demo/rows` as it is now a coarse index made by hand that compares so many candidates."""

    def adopt(engine: Engine, *, candidates: int, lists: int = 8, nprobe: int | None = None) -> Coarse:
        with engine._store.read() as c:
            index = catalogue.index(c, "demo", "rows")
            assert index is not None
            rows = engine._slab(index).read(index.slots)[: index.slots].copy()
            dead = records.dead(c, index).tolist()
            coarse = coarse_of(rows, index.metric, lists=lists, dead=dead, generation=index.generation)
            depth = Depth(nprobe or lists, candidates, 1.0)
            coarse = replace(coarse, tuning=Tuning(depth, depth, depth))
            engine._search.adopt(c, engine._slab(index), index, coarse)
        return coarse

    return adopt


@pytest.fixture
def nearest() -> Callable[..., list[tuple[int, float]]]:
    """Ask `demo/rows`: the numbers of the rows found, in the order of their first write, and their distances."""

    def ask(engine: Engine, query: Float32, *, k: int, where: Any = None) -> list[tuple[int, float]]:
        with engine._store.read() as c:
            index = catalogue.index(c, "demo", "rows")
            assert index is not None
            found = engine._search.nearest(c, engine._slab(index), index, query, k=k, where=where)
        return [(codec.sequence(record) - 1, distance) for record, distance in found]

    return ask


@pytest.fixture(scope="session")
def nested(root: Path) -> Any:
    """Return the generator of the benchmark, of 512 components."""
    spec = importlib.util.spec_from_file_location("bench_nested", root / "bench" / "nested.py")
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Nested(512, seed=3)
