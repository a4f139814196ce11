"""The manual strategy over real files, and filters against the engine's own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestor.adapters.folder_objects import FolderObjects
from nestor.errors import InvalidInput, NestorError, ObjectMissing
from nestor.migration.source import Placeholder
from nestor.scan import Scan
from nestor.strategies import Asked, Manual
from nestor.strategies.matching import predicate
from s3vectors_local import filters
from s3vectors_local.errors import InvalidFilter


def unit(seed: int, size: int = 3072) -> Any:
    """Return a unit row."""
    drawn = np.random.default_rng(seed).standard_normal(size)
    return drawn / np.linalg.norm(drawn)


@pytest.fixture(params=["folders", "flat"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a placeholder of twelve segments in that layout, and what does not belong to it."""
    for number in range(12):
        flat = request.param == "flat"
        name = f"a{number}_segment_0.json" if flat else f"a{number}/segment_0.json"
        path = tmp_path / "embeddings-3072d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"sourceS3Uri": f"s3://b/{number}.txt", "fileName": f"{number}.txt", "modalityType": "TEXT"}
        numbers = unit(number).tolist()
        path.write_text(json.dumps({"vector" if flat else "embedding": numbers, "metadata": metadata}))
    (tmp_path / "embeddings-256d").mkdir()
    (tmp_path / "embeddings-256d" / "a0_segment_0.json").write_text("not read")
    (tmp_path / "notes.txt").write_text("not read")
    return tmp_path


def manual(folder: Path) -> Manual:
    """Return the strategy over a folder."""
    return Manual(Scan(Placeholder(FolderObjects(folder), root="s3://folder/", name=str(folder))))


def test_it_finds_the_nearest_by_reading_all(folder: Path) -> None:
    """In order, by exact similarity, a request an embedding; written anew, found anew."""
    asked = Asked(embedding=unit(7).astype(np.float32), top_k=5)
    ranking = manual(folder).search(asked)
    expected = sorted((-float(unit(number) @ unit(7)), f"{number}.txt") for number in range(12))[:5]
    assert [hit.metadata["file_name"] for hit in ranking.hits] == [name for _, name in expected]
    for hit, (similarity, _) in zip(ranking.hits, expected, strict=True):
        assert hit.similarity == pytest.approx(-similarity, abs=1e-6)
    assert (ranking.spent.requests, ranking.candidates) == (12, 12)
    assert ranking.spent.returned_bytes == sum(p.stat().st_size for p in (folder / "embeddings-3072d").rglob("*.json"))
    assert list(ranking.stages) == ["scan"]


def test_a_filter_holds(folder: Path) -> None:
    """By our names of the metadata."""
    where = {"file_name": {"$in": ["3.txt", "8.txt"]}}
    hits = manual(folder).search(Asked(embedding=unit(7).astype(np.float32), where=where)).hits
    assert {hit.metadata["file_name"] for hit in hits} == {"3.txt", "8.txt"}


def test_an_embedding_that_cannot_be_read_is_an_error(folder: Path) -> None:
    """An answer without it would look complete; the object is named."""
    path = next((folder / "embeddings-3072d").rglob("*.json"))
    path.write_text("{")
    with pytest.raises(NestorError, match=str(path.relative_to(folder))):
        manual(folder).search(Asked(embedding=unit(7).astype(np.float32)))


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    """Not an empty answer; the ways out are named."""
    with pytest.raises(ObjectMissing, match=r"no folder.*`direct`.*`nestor rollback`.*`nestor migrate`"):
        manual(tmp_path / "none").search(Asked(embedding=unit(7).astype(np.float32)))


SCALARS = st.one_of(st.sampled_from(["a", "ab", "b"]), st.integers(-2, 2), st.sampled_from([0.5, 1.0]), st.booleans())
VALUES = st.one_of(SCALARS, st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=3))
CONDITIONS = st.one_of(
    SCALARS,
    st.dictionaries(st.sampled_from(["$eq", "$ne"]), SCALARS, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.integers(-2, 2), min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["$in", "$nin"]), st.lists(SCALARS, min_size=1, max_size=3), min_size=1),
    st.dictionaries(st.just("$exists"), st.booleans(), min_size=1),
    st.dictionaries(st.just("$startsWith"), st.sampled_from(["a", "b"]), min_size=1),
)
LEAVES = st.dictionaries(st.sampled_from(["x", "y", "z"]), CONDITIONS, min_size=1, max_size=1)
FILTERS = st.recursive(
    LEAVES,
    lambda parts: st.dictionaries(
        st.sampled_from(["$and", "$or"]), st.lists(parts, min_size=1, max_size=3), min_size=1, max_size=1
    ),
    max_leaves=5,
)


@given(where=FILTERS, metadata=st.dictionaries(st.sampled_from(["x", "y"]), VALUES))
def test_filters_match_as_in_the_engine(where: Any, metadata: Any) -> None:
    """An engine written apart from it is the oracle."""
    theirs = filters.predicate(filters.parse(where))
    assert predicate(where)(metadata) == theirs(metadata)


@pytest.mark.parametrize(
    "where",
    [
        {"x": 1, "y": 2},
        {"$and": []},
        {"$and": [1]},
        {"$or": {"x": 1}},
        {"x": {}},
        {"x": {"$near": 1}},
        {"$not": {"x": 1}},
        {"x": {"$gt": "x"}},
        {"x": {"$lte": True}},
        {"x": {"$in": 5}},
        {"x": {"$in": "abc"}},
        {"x": {"$nin": []}},
        {"x": {"$in": [[1]]}},
        {"x": {"$startsWith": 5}},
        {"x": {"$exists": 1}},
        {"x": {"$eq": None}},
        {"x": [1]},
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(where: Any) -> None:
    """Before anything is read, as the engine does."""
    with pytest.raises(InvalidInput):
        predicate(where)
    with pytest.raises(InvalidFilter):
        filters.parse(where)


def test_a_size_that_the_placeholder_lacks_is_an_error(folder: Path) -> None:
    """Not an empty answer: a rollback after a size was dropped writes none of it."""
    with pytest.raises(ObjectMissing, match=r"holds no embedding of 1024 components.*`direct`"):
        manual(folder).search(Asked(embedding=unit(7).astype(np.float32), dimension=1024))
