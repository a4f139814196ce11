"""A text key that is added to many vectors: BUILDING until they are indexed, ACTIVE then, whatever comes between."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from s3vectors_local import boto
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.engine.upkeep import Upkeep
from s3vectors_local.errors import ValidationException
from s3vectors_local.model import Metric, NewIndex, NewTextKey, NewVector, Query, QueryText
from s3vectors_local.storage import texts

WORDS = ("cat", "dog", "fish", "bird", "ant")
TITLE = NewTextKey("title")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten vectors be many."""
    monkeypatch.setattr(texts, "FILL_RECORDS", 10)


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be done by itself: what is due waits for `settle`."""
    monkeypatch.setattr(Upkeep, "_start", lambda *_: None)


@pytest.mark.usefixtures("idle")
def test_building_then_active(tmp_path: Path) -> None:
    """Until all is indexed the key is BUILDING and refuses queries, other keys and writes go on; then it is ACTIVE."""
    with open_engine(tmp_path) as engine:
        _fill(engine, 35)
        client = boto.client(engine)
        place = {"vectorBucketName": "demo", "indexName": "flat"}
        client.update_metadata_configuration(**place, add={"textSearchConfigurations": [{"metadataKey": "title"}]})
        assert _statuses(client, place) == {"body": "ACTIVE", "title": "BUILDING"}
        with pytest.raises(ClientError, match="metadata key 'title' is still being built") as caught:
            client.query_vectors(**place, topK=1, queryTexts=[{"metadataKey": "title", "text": "cat"}])
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert client.query_vectors(**place, topK=1, queryTexts=[{"metadataKey": "body", "text": "cat"}])["vectors"]
        assert engine.verify() == []
        engine.settle()
        assert _statuses(client, place) == {"body": "ACTIVE", "title": "ACTIVE"}
        assert engine.verify() == []
        assert _found(engine, "dog") == [f"k{n}" for n in range(35) if n % 5 == 1]


@pytest.mark.usefixtures("idle")
def test_what_is_written_meanwhile_is_found(tmp_path: Path) -> None:
    """What is put, overwritten and deleted between two steps is found as in an index that always had the key."""
    with open_engine(tmp_path) as engine:
        _fill(engine, 35)
        engine.add_text_keys("demo", "flat", [TITLE])
        for step in range(3):
            _step(engine)
            assert engine.verify() == []
            _put(engine, {step: "dog", 30 + step: "cat", 40 + step: "dog", 14 + step: None})
            engine.delete_vectors("demo", "flat", [f"k{n}" for n in (5 + step, 25 + step)])
            assert engine.verify() == []
        engine.settle()
        assert engine.verify() == []
        found = {word: _found(engine, word) for word in WORDS}
    with open_engine(None) as other:
        _fill(other, 35, TITLE)
        for step in range(3):
            _put(other, {step: "dog", 30 + step: "cat", 40 + step: "dog", 14 + step: None})
            other.delete_vectors("demo", "flat", [f"k{n}" for n in (5 + step, 25 + step)])
        assert found == {word: _found(other, word) for word in WORDS}


def test_goes_on_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is closed in the middle goes on by itself from there when it is opened again."""
    with monkeypatch.context() as patched, open_engine(tmp_path) as engine:
        patched.setattr(Upkeep, "_start", lambda *_: None)
        _fill(engine, 35)
        engine.add_text_keys("demo", "flat", [TITLE])
        _step(engine)
    with open_engine(tmp_path, read_only=True) as engine, pytest.raises(ValidationException, match="still being built"):
        _found(engine, "dog")
    with open_engine(tmp_path) as engine:
        _until(lambda: not engine.get_index("demo", "flat").is_building)
        assert _found(engine, "dog") == [f"k{n}" for n in range(35) if n % 5 == 1]
        assert engine.verify() == []


@pytest.mark.usefixtures("idle")
def test_removed_while_it_is_built(tmp_path: Path) -> None:
    """A key that is taken back, and an index that is deleted, leave nothing to be done."""
    with open_engine(tmp_path) as engine:
        _fill(engine, 35)
        engine.add_text_keys("demo", "flat", [TITLE])
        _step(engine)
        engine.remove_text_keys("demo", "flat", ["title"])
        engine.settle()
        assert [key.key for key in engine.get_index("demo", "flat").texts] == ["body"]
        engine.add_text_keys("demo", "flat", [TITLE])
        engine.delete_index("demo", "flat")
        engine.settle()
        assert engine.verify() == []


@pytest.mark.parametrize(("count", "building"), [(9, False), (10, True)])
@pytest.mark.usefixtures("idle")
def test_few_vectors_are_indexed_at_once(tmp_path: Path, count: int, *, building: bool) -> None:
    """What takes no longer than one step is done before the answer."""
    with open_engine(tmp_path) as engine:
        _fill(engine, count)
        engine.add_text_keys("demo", "flat", [TITLE])
        assert engine.get_index("demo", "flat").is_building is building


def _fill(engine: Engine, count: int, *keys: NewTextKey) -> None:
    engine.create_bucket("demo")
    engine.create_index("demo", NewIndex("flat", 2, Metric.COSINE, texts=(NewTextKey("body"), *keys)))
    _put(engine, {n: WORDS[n % 5] for n in range(count)})


def _put(engine: Engine, titles: dict[int, str | None]) -> None:
    row = np.ones(2, np.float32)
    vectors = [
        NewVector(f"k{n}", row, {"body": f"a {word} here", **({"title": word} if word else {})})
        for n, word in titles.items()
    ]
    engine.put_vectors("demo", "flat", vectors)


def _step(engine: Engine) -> None:
    with engine._store.write() as c:
        index = engine.get_index("demo", "flat")
        texts.fill(c, index, next(key for key in index.texts if key.is_building))


def _found(engine: Engine, word: str) -> list[str]:
    page, _ = engine.query_vectors("demo", "flat", Query(None, 100, texts=(QueryText("title", word),)))
    return sorted((hit.key for hit in page.items), key=lambda key: int(key[1:]))


def _statuses(client: Any, place: dict[str, str]) -> dict[str, str]:
    configuration = client.get_index(**place)["index"]["metadataConfiguration"]
    return {each["metadataKey"]: each["status"] for each in configuration["textSearchConfigurations"]}


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
