"""Random operations on the engine and on a dict, compared after each; one of the operations is a restart."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from s3vectors_local import boto
from s3vectors_local.engine import open_engine
from s3vectors_local.model import Index
from s3vectors_local.search.build import build
from s3vectors_local.search.derived import DerivedFiles
from s3vectors_local.storage import records

INDEXES = ("first", "second")
METRICS = {"first": "cosine", "second": "euclidean"}
NAMES = st.sampled_from(INDEXES)
KEYS = st.sampled_from([f"k{number}" for number in range(8)])
COMPONENTS = st.lists(st.integers(-3, 3), min_size=3, max_size=3).filter(any)
METADATA = st.fixed_dictionaries(
    {}, optional={"n": st.integers(0, 3), "t": st.sampled_from(["x", "xy"]), "text": st.text(), "words": st.text("ab ")}
)
VECTORS = st.lists(st.tuples(KEYS, COMPONENTS, METADATA), min_size=1, max_size=6)
MANY = 160  # enough for a coarse index to be used
STARTS = st.sampled_from([0, 50, 120])
Row = tuple[Sequence[float], dict[str, Any]]


class Machine(RuleBasedStateMachine):
    """Two indexes in one bucket, on disk."""

    def __init__(self) -> None:
        """Begin with a bucket and no index."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="s3vectors-"))
        self.model: dict[str, dict[str, Row]] = {}
        self.searchable: set[str] = set()
        self._open()
        self.client.create_vector_bucket(vectorBucketName="demo")

    def _open(self) -> None:
        self.engine = open_engine(self.folder / "data")
        self.client = boto.client(self.engine)
        # As the process of its own does it, without the half second of its start.
        self.engine._upkeep._build_beside = self._build  # type: ignore[method-assign]

    def _build(self, folder: Path, files: DerivedFiles, index: Index) -> None:
        with self.engine._store.read() as c:
            rows = self.engine._slab(index).read(index.slots)
            files.save(index, build(index, rows, records.dead(c, index)))
        self.engine._upkeep._adopt(index.id, files.load(index))

    def teardown(self) -> None:
        """Leave nothing behind; the data must be sound to the end."""
        assert self.engine.verify() == []
        self.engine.close()
        shutil.rmtree(self.folder)

    def _address(self, name: str) -> dict[str, str]:
        return {"vectorBucketName": "demo", "indexName": name}

    @initialize(name=NAMES)
    def first_index(self, name: str) -> None:
        """Have something to work with."""
        self.create_index(name)

    @rule(name=NAMES)
    def create_index(self, name: str) -> None:
        """Create an index; one that is there is a conflict and stays as it is."""
        shape = {"dataType": "float32", "dimension": 3, "distanceMetric": METRICS[name]}
        more = {"metadataConfiguration": {"nonFilterableMetadataKeys": ["text"]}}
        if name in self.model:
            with pytest.raises(self.client.exceptions.ConflictException):
                self.client.create_index(**self._address(name), **shape, **more)
            return
        self.client.create_index(**self._address(name), **shape, **more)
        self.model[name] = {}

    @rule(name=NAMES)
    def delete_index(self, name: str) -> None:
        """Delete an index; one that is not there is NotFound."""
        if name not in self.model:
            with pytest.raises(self.client.exceptions.NotFoundException):
                self.client.delete_index(**self._address(name))
            return
        self.client.delete_index(**self._address(name))
        self.searchable.discard(name)
        del self.model[name]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), vectors=VECTORS)
    def put(self, data: st.DataObject, vectors: list[tuple[str, list[int], dict[str, Any]]]) -> None:
        """Put some vectors; of equal keys the last one counts."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        body = [{"key": key, "data": {"float32": row}, "metadata": metadata} for key, row, metadata in vectors]
        self.client.put_vectors(**self._address(name), vectors=body)
        for key, row, metadata in vectors:
            self.model[name][key] = (row, metadata)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), start=STARTS, seed=st.integers(0, 9))
    def put_many(self, data: st.DataObject, start: int, seed: int) -> None:
        """Put many at once, over those that are there."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        rows = np.random.default_rng(seed).integers(-8, 9, (MANY, 3)) / 4
        rows[:, seed % 3] += 2.125  # never all zero; all are float32 exactly
        made = {f"m{start + number}": (row, {"n": number % 4}) for number, row in enumerate(rows.tolist())}
        body = [{"key": key, "data": {"float32": row}, "metadata": more} for key, (row, more) in made.items()]
        self.client.put_vectors(**self._address(name), vectors=body)
        self.model[name] |= made

    @precondition(lambda self: self.model)
    @rule(data=st.data(), start=STARTS, count=st.sampled_from([30, MANY]))
    def delete_many(self, data: st.DataObject, start: int, count: int) -> None:
        """Delete many at once, there or not."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        keys = [f"m{number}" for number in range(start, start + count)]
        self.client.delete_vectors(**self._address(name), keys=keys)
        for key in keys:
            self.model[name].pop(key, None)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        """Take the dead rows out."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.engine.compact("demo", name)
        assert self.engine.get_index("demo", name).slots == len(self.model[name])

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def build(self, data: st.DataObject) -> None:
        """Build a coarse index."""
        self.engine.build("demo", data.draw(st.sampled_from(sorted(self.model))))

    @precondition(lambda self: self.model)
    @rule(data=st.data(), key=KEYS)
    def put_half_bad(self, data: st.DataObject, key: str) -> None:
        """Put a good vector and a bad one: neither is stored."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        body = [{"key": key, "data": {"float32": row}} for row in ([1, 1, 1], [1, 1])]
        with pytest.raises(self.client.exceptions.ValidationException):
            self.client.put_vectors(**self._address(name), vectors=body)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), keys=st.lists(KEYS, min_size=1, max_size=4, unique=True))
    def delete(self, data: st.DataObject, keys: list[str]) -> None:
        """Delete some keys, there or not."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.client.delete_vectors(**self._address(name), keys=keys)
        for key in keys:
            self.model[name].pop(key, None)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), keys=st.lists(KEYS, min_size=1, max_size=4))
    def get(self, data: st.DataObject, keys: list[str]) -> None:
        """Get some keys: those that are there, with data and metadata."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        answer = self.client.get_vectors(**self._address(name), keys=keys, returnData=True, returnMetadata=True)
        found = {each["key"]: (each["data"]["float32"], each["metadata"]) for each in answer["vectors"]}
        assert found == {key: row for key, row in self.model[name].items() if key in keys}
        assert len(answer["vectors"]) == len(found)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), query=COMPONENTS, top_k=st.integers(1, 9), wanted=st.none() | st.integers(0, 3))
    def query(self, data: st.DataObject, query: list[int], top_k: int, wanted: int | None) -> None:
        """Query, with a filter or without: the distances are those of the nearest matches, in order."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        more = {} if wanted is None else {"filter": {"n": {"$lte": wanted}}}
        answer = self.client.query_vectors(
            **self._address(name), queryVector={"float32": query}, topK=top_k, returnDistance=True, **more
        )["vectors"]
        matching = {
            key: _distance(METRICS[name], row, query)
            for key, (row, metadata) in self.model[name].items()
            if wanted is None or ("n" in metadata and metadata["n"] <= wanted)
        }
        found = [each["distance"] for each in answer]
        nearest = sorted(matching.values())[:top_k]
        assert found == sorted(found)
        assert len({each["key"] for each in answer}) == len(answer) == len(nearest)
        for each in answer:
            assert each["distance"] == pytest.approx(matching[each["key"]], abs=1e-5)
        # By a coarse index some may be missed.
        right = sum(distance <= nearest[-1] + 1e-5 for distance in found)
        assert right >= (len(nearest) + 1) // 2 if len(matching) > MANY // 2 else right == len(nearest)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def switch_text_search(self, data: st.DataObject) -> None:
        """Make `words` searchable, or no longer."""
        name = data.draw(st.sampled_from(sorted(self.model)))
        change = "delete" if name in self.searchable else "add"
        keys = {"textSearchConfigurations": [{"metadataKey": "words"}]}
        self.client.update_metadata_configuration(**self._address(name), **{change: keys})
        self.searchable ^= {name}

    @precondition(lambda self: self.searchable)
    @rule(data=st.data(), words=st.text("ab ", min_size=1), wanted=st.none() | st.integers(0, 3))
    def query_text(self, data: st.DataObject, words: str, wanted: int | None) -> None:
        """Query by text, with a filter or without: found is what holds one of the words, and matches."""
        name = data.draw(st.sampled_from(sorted(self.searchable)))
        more = {} if wanted is None else {"filter": {"n": {"$lte": wanted}}}
        queries = [{"text": words, "metadataKey": "words"}]
        answer = self.client.query_vectors(**self._address(name), queryTexts=queries, topK=9, **more)["vectors"]
        assert sorted(each["key"] for each in answer) == sorted(
            key
            for key, (_, metadata) in self.model[name].items()
            if set(words.split()) & set(metadata.get("words", "").split())
            and (wanted is None or ("n" in metadata and metadata["n"] <= wanted))
        )

    @rule()
    def restart(self) -> None:
        """Close, and open what is on the disk."""
        self.engine.close()
        self._open()

    @invariant()
    def lists_are_the_model(self) -> None:
        """Compare the lists of indexes and of their keys with the dict."""
        names = [each["indexName"] for each in self.client.list_indexes(vectorBucketName="demo")["indexes"]]
        assert names == sorted(self.model)
        for name in names:
            size = 3 if len(self.model[name]) < 30 else 100
            pages = self.client.get_paginator("list_vectors").paginate(**self._address(name), maxResults=size)
            keys = [each["key"] for page in pages for each in page["vectors"]]
            assert sorted(keys) == sorted(self.model[name])
            assert self.engine.get_index("demo", name).count == len(keys)


def _distance(metric: str, row: Sequence[float], query: list[int]) -> float:
    a, b = np.array(row, float), np.array(query, float)
    if metric == "euclidean":
        return float(((a - b) ** 2).sum())
    return float(1 - (a @ b) / (np.linalg.norm(a) * np.linalg.norm(b)))


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


class TestMachine(Machine.TestCase):  # type: ignore[misc,valid-type]
    """A short run, in every `make test`."""

    settings = settings(max_examples=50, stateful_step_count=25, deadline=None, suppress_health_check=CHECKS)


@pytest.mark.slow
class TestMachineForLong(Machine.TestCase):  # type: ignore[misc,valid-type]
    """A long run."""

    settings = settings(max_examples=1000, stateful_step_count=50, deadline=None, suppress_health_check=CHECKS)
