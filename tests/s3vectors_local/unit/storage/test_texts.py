"""The text index beside its records: kept, taken out, filled later, and untouched where nothing changed."""

import threading
from pathlib import Path
from typing import Any

import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import TextKeyExists, ValidationException
from s3vectors_local.model import Language, Mode, NewTextKey, Query, QueryText
from s3vectors_local.storage import catalogue, postings, texts


def _keys(engine: Engine, text: str, *, key: str = "words") -> list[str]:
    page, _ = engine.query_vectors("demo", "flat", Query(None, 100, texts=(QueryText(key, text),)))
    return [hit.key for hit in page.items]


def _rows(engine: Engine) -> list[int]:
    with engine._store.read() as c:
        tables = ("text_keys", "texts", "postings")
        return [c.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - our names


def test_survives_a_restart(folder: Path, vector: Any) -> None:
    """Keys, languages and what they find are there after a reopen, for writers and readers."""
    with open_engine(folder) as engine:
        engine.add_text_keys("demo", "flat", [NewTextKey("words", Language.ENGLISH), NewTextKey("other")])
        engine.put_vectors("demo", "flat", [vector("two", 0, 0, words="two cats"), vector("three", 0, 0)])
    for read_only in (False, True):
        with open_engine(folder, read_only=read_only) as engine:
            found = [
                (key.key, key.language, key.documents, key.length) for key in engine.get_index("demo", "flat").texts
            ]
            assert found == [("words", Language.ENGLISH, 1, 2), ("other", None, 0, 0)]
            assert _keys(engine, "cat") == ["two"]


def test_nothing_is_left_of_what_is_gone(engine: Engine, vector: Any) -> None:
    """Deleted vectors, keys and indexes leave no row behind."""
    engine.add_text_keys("demo", "flat", [NewTextKey("words"), NewTextKey("more")])
    engine.put_vectors("demo", "flat", [vector(f"k{n}", 0, 0, words=f"word{n} all", more="x") for n in range(5)])
    assert _rows(engine) == [2, 10, 7]
    engine.delete_vectors("demo", "flat", ["k0", "k1", "nope"])
    assert _rows(engine) == [2, 6, 5]
    engine.remove_text_keys("demo", "flat", ["more"])
    assert _rows(engine) == [1, 3, 4]
    engine.delete_index("demo", "flat")
    assert _rows(engine) == [0, 0, 0]


def test_unchanged_text_is_not_written_again(engine: Engine, vector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Putting the same text again touches no posting, though the rest of the vector is new."""
    engine.add_text_keys("demo", "flat", [NewTextKey("words")])
    engine.put_vectors("demo", "flat", [vector("k", 0, 0, words="the same")])
    monkeypatch.setattr(postings, "add", None)
    monkeypatch.setattr(postings, "remove", None)
    engine.put_vectors("demo", "flat", [vector("k", 1, 1, words="The  same!", n=2)])
    assert _keys(engine, "same") == ["k"]


def test_filled_in_steps(engine: Engine, vector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key added later holds every vector, however many steps that takes."""
    engine.put_vectors("demo", "flat", [vector(f"k{n:02}", 0, 0, words=f"all w{n}", text="x") for n in range(25)])
    monkeypatch.setattr(texts, "FILL_RECORDS", 10)
    engine.add_text_keys("demo", "flat", [NewTextKey("words"), NewTextKey("text")])
    engine.settle()
    assert _keys(engine, "all") == _keys(engine, "x", key="text") == [f"k{n:02}" for n in range(25)]
    assert _keys(engine, "w24") == ["k24"]
    assert engine.verify() == []


def test_a_failed_change_leaves_nothing(engine: Engine, vector: Any) -> None:
    """A put with a bad vector and an update with a bad key change nothing of the text index."""
    engine.add_text_keys("demo", "flat", [NewTextKey("words")])
    before = _rows(engine)
    with pytest.raises(ValidationException):
        engine.put_vectors("demo", "flat", [vector("a", 0, 0, words="good"), vector("b", 0)])
    with pytest.raises(TextKeyExists):
        engine.add_text_keys("demo", "flat", [NewTextKey("new"), NewTextKey("words")])
    with pytest.raises(ValidationException):
        engine.remove_text_keys("demo", "flat", ["words", "nope"])
    assert _rows(engine) == before


def test_queries_beside_a_writer(folder: Path, vector: Any) -> None:
    """A query sees all of a put or nothing of it, while puts go on in another thread."""
    with open_engine(folder) as engine:
        engine.add_text_keys("demo", "flat", [NewTextKey("words")])
        engine.put_vectors("demo", "flat", [vector("a", 0, 0, words="red"), vector("b", 0, 0, words="blue")])
        done = threading.Event()

        def write() -> None:
            for colours in [("blue", "red"), ("red", "blue")] * 40:
                put = [vector(key, 0, 0, words=colour) for key, colour in zip("ab", colours, strict=True)]
                engine.put_vectors("demo", "flat", put)
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        seen = set()
        while not done.is_set():
            seen.add(tuple(_keys(engine, "red")))
        thread.join()
        assert seen == {("a",), ("b",)}
        assert engine.verify() == []


def test_classic_indexes_have_no_text(engine: Engine) -> None:
    """Text search requires ENHANCED; this engine makes no other index, older data may hold one."""
    engine.add_text_keys("demo", "flat", [NewTextKey("words")])
    with engine._store.write() as c:
        catalogue.set_mode(c, 1, Mode.CLASSIC)
    with pytest.raises(ValidationException, match="ENHANCED"):
        engine.add_text_keys("demo", "flat", [NewTextKey("new")])
    with pytest.raises(ValidationException, match="ENHANCED"):
        _keys(engine, "x")
