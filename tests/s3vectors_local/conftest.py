"""An engine in memory, one on disk, and a small index to work with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import Metric, NewIndex, NewVector


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Give an engine in memory with the bucket `demo` and the index `demo/flat`: 2 components, euclidean."""
    with open_engine(None) as opened:
        opened.create_bucket("demo")
        opened.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN, non_filterable=("text",)))
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder on disk with the bucket `demo`, the index `demo/flat` and the vector `one`."""
    path = tmp_path / "data"
    with open_engine(path) as opened:
        opened.create_bucket("demo")
        opened.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN))
        opened.put_vectors("demo", "flat", [NewVector("one", np.array([1, 2], np.float32), {"n": 1})])
    return path


@pytest.fixture
def vector() -> Any:
    """Make a NewVector: key, components, metadata."""

    def make(key: str, *components: float, **metadata: Any) -> NewVector:
        return NewVector(key, np.array(components, np.float32), metadata)

    return make
