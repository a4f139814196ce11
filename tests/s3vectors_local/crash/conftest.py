"""A workload, the states that it passes through, and folders as a crash may leave them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import Index, Metric, NewIndex, NewTextKey, NewVector

Files = dict[str, bytes]
State = dict[str, Any]
Step = Callable[[Engine], Any]


def _vectors(start: int, count: int, **metadata: Any) -> list[NewVector]:
    data = [np.array([number, start], np.float32) for number in range(count)]
    return [NewVector(f"k{start + n}", row, {"n": n, **metadata}) for n, row in enumerate(data)]


WORKLOAD: list[Step] = [
    lambda engine: engine.create_bucket("demo", tags={"a": "b"}),
    lambda engine: engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN, texts=(NewTextKey("words"),))),
    lambda engine: engine.put_vectors("demo", "flat", _vectors(0, 5, words="one two")),
    lambda engine: engine.put_vectors("demo", "flat", _vectors(3, 4, words="two three")),
    lambda engine: engine.delete_vectors("demo", "flat", ["k0", "k4", "none"]),
    lambda engine: engine.create_index("demo", NewIndex("other", 2, Metric.COSINE)),
    lambda engine: engine.put_vectors("demo", "other", _vectors(1, 2)),
    lambda engine: engine.put_vectors("demo", "flat", _vectors(0, 40, words="many words " * 40)),
    lambda engine: engine.compact("demo", "flat"),
    lambda engine: engine.put_vectors("demo", "flat", _vectors(20, 30)),
    lambda engine: engine.delete_index("demo", "other"),
    lambda engine: engine.remove_text_keys("demo", "flat", ["words"]),
    lambda engine: engine.delete_vectors("demo", "flat", [f"k{number}" for number in range(60)]),
    lambda engine: engine.compact("demo", "flat"),
    lambda engine: engine.put_vectors("demo", "flat", _vectors(7, 1)),
]


@pytest.fixture(scope="session")
def workload() -> list[Step]:
    """Give writes of all kinds, each a step."""
    return WORKLOAD


@pytest.fixture(scope="session")
def states() -> list[State]:
    """Give what there is after each number of steps, as an engine without a disk tells."""
    with open_engine(None) as engine:
        return [_state(engine), *(_after(engine, step) for step in WORKLOAD)]


@pytest.fixture(scope="session")
def state() -> Callable[[Engine], State]:
    """Give what tells all that an engine holds."""
    return _state


@pytest.fixture
def image(tmp_path: Path) -> Callable[[Files], Path]:
    """Give what makes a data folder of files, in place of the one before."""

    def make(files: Files) -> Path:
        folder = tmp_path / "image"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "rows").mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return make


@pytest.fixture
def opened(image: Callable[[Files], Path]) -> Callable[[Files], State]:
    """Give what opens a data folder as the next process would: all is sound, and writing goes on."""

    def open_(files: Files) -> State:
        with open_engine(image(files)) as engine:
            assert engine.verify() == []
            found = _state(engine)
            for index in engine.list_indexes("demo").items if found else ():
                engine.put_vectors("demo", index.name, _vectors(500, 3))
            assert engine.verify() == []
        return found

    return open_


def _after(engine: Engine, step: Step) -> State:
    step(engine)
    return _state(engine)


def _state(engine: Engine) -> State:
    buckets = engine.list_buckets().items
    return {
        **{bucket.name: engine.get_tags(engine.owner.bucket_arn(bucket.name)) for bucket in buckets},
        **{
            index.name: _content(engine, index)
            for bucket in buckets
            for index in engine.list_indexes(bucket.name).items
        },
    }


def _content(engine: Engine, index: Index) -> Any:
    vectors = engine.list_vectors(index.bucket, index.name, limit=1000, data=True, metadata=True).items
    return (
        [(text.key, text.documents, text.length) for text in index.texts],
        [(vector.key, vector.metadata, np.asarray(vector.data).tolist()) for vector in vectors],
    )
