import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from s3vectors_local import limits
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import (
    AccessDeniedException,
    InvalidRecord,
    ServiceQuotaExceededException,
    StoreError,
    StoreFailed,
    ValidationException,
)
from s3vectors_local.model import Metric, Mode, NewIndex, NewVector, Query
from s3vectors_local.storage import open_store
from s3vectors_local.storage.store import FILE_NAME

Make = Callable[..., NewVector]


def test_put_is_all_or_nothing(engine: Engine, vector: Make) -> None:
    """One bad vector, and none of the request is stored."""
    bad = [vector("good", 1, 2), vector("bad", 1, 2, 3)]
    with pytest.raises(InvalidRecord, match="'bad': vector must have length 2, but has length 3") as caught:
        engine.put_vectors("demo", "flat", bad)
    assert caught.value.fields[0].path == "vectors[1]"
    assert engine.get_vectors("demo", "flat", ["good", "bad"]) == []
    assert engine.get_index("demo", "flat").generation == 0


def test_last_of_equal_keys_counts(engine: Engine, vector: Make) -> None:
    """Of two vectors with one key in one request the later one is stored."""
    engine.put_vectors("demo", "flat", [vector("k", 1, 1), vector("other", 5, 5), vector("k", 2, 2)])
    (stored,) = engine.get_vectors("demo", "flat", ["k"], data=True)
    assert stored.data is not None
    assert stored.data.tolist() == [2, 2]
    assert engine.get_index("demo", "flat").count == 2


def test_more_at_once_than_a_statement_takes(engine: Engine, vector: Make) -> None:
    """In process a call may hold any number of vectors or keys, also where SQLite takes as many values as by itself."""
    assert engine._store._writer is not None
    engine._store._writer.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
    keys = [f"k{number}" for number in range(33_000)]
    for _ in range(2):
        engine.put_vectors("demo", "flat", [vector(key, 1, 2) for key in keys])
    assert engine.get_index("demo", "flat").count == len(keys)
    assert [each.key for each in engine.get_vectors("demo", "flat", keys[::-1])] == keys[::-1]
    engine.delete_vectors("demo", "flat", keys)
    assert engine.get_index("demo", "flat").count == 0


def test_count(engine: Engine, vector: Make) -> None:
    """An index knows how many vectors it holds, after overwriting and deleting too."""
    engine.put_vectors("demo", "flat", [vector("a", 1, 1), vector("b", 1, 1)])
    engine.put_vectors("demo", "flat", [vector("b", 2, 2), vector("c", 2, 2)])
    assert engine.get_index("demo", "flat").count == 3
    engine.delete_vectors("demo", "flat", ["a", "absent"])
    assert engine.get_index("demo", "flat").count == 2
    assert engine.verify() == []


def test_deleting_leaves_nothing(engine: Engine, vector: Make) -> None:
    """A deleted index leaves no row of any kind, and leaves other indexes alone."""
    engine.create_index("demo", NewIndex("other", 2, Metric.COSINE))
    for index in ("flat", "other"):
        engine.put_vectors("demo", index, [vector("a", 1, 1)])
        engine.put_tags(engine.owner.index_arn("demo", index), {"k": "v"})
    engine.delete_index("demo", "flat")
    assert engine.verify() == []
    assert engine.get_index("demo", "other").count == 1
    assert engine.get_tags(engine.owner.index_arn("demo", "other")) == {"k": "v"}


def test_key_bytes(engine: Engine, vector: Make) -> None:
    """A key has at most 1,024 UTF-8 bytes, on every way in."""
    engine.put_vectors("demo", "flat", [vector("中" * 340 + "abcd", 1, 1)])
    for call in (
        lambda key: engine.put_vectors("demo", "flat", [vector(key, 1, 1)]),
        lambda key: engine.get_vectors("demo", "flat", [key]),
        lambda key: engine.delete_vectors("demo", "flat", [key]),
    ):
        with pytest.raises(ValidationException, match=r"^Record key length exceeds the maximum allowed$"):
            call("中" * 340 + "abcde")


def test_strange_keys(engine: Engine, vector: Make) -> None:
    """NUL, spaces, emoji and SQL are only characters; keys differ by case."""
    keys = ["\x00", "a\x00b", "a", "A", " ", "😀", "'; DROP TABLE records; --"]
    engine.put_vectors("demo", "flat", [vector(key, 1, place) for place, key in enumerate(keys)])
    assert [each.key for each in engine.list_vectors("demo", "flat").items] == keys
    assert [each.key for each in engine.get_vectors("demo", "flat", ["a"])] == ["a"]


def test_zero_vector_is_for_euclidean_only(engine: Engine, vector: Make) -> None:
    """A euclidean index takes a zero vector, a cosine one does not, neither stored nor asked."""
    engine.put_vectors("demo", "flat", [vector("zero", 0, 0)])
    engine.create_index("demo", NewIndex("cos", 2, Metric.COSINE))
    with pytest.raises(InvalidRecord, match="'zero': cosine distance does not support vectors with zero norm"):
        engine.put_vectors("demo", "cos", [vector("zero", 0, 0)])
    with pytest.raises(ValidationException, match=r"^Query vector contains invalid values"):
        engine.query_vectors("demo", "cos", Query(np.zeros(2, np.float32), 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(engine: Engine, vector: Make, value: float) -> None:
    """NaN and infinities are refused."""
    with pytest.raises(InvalidRecord, match="vector contains NaNs or Infs"):
        engine.put_vectors("demo", "flat", [vector("k", 1, value)])


def test_quotas(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets and indexes are capped."""
    monkeypatch.setattr(limits, "BUCKETS", 1)
    monkeypatch.setattr(limits, "INDEXES", 1)
    with pytest.raises(ServiceQuotaExceededException):
        engine.create_bucket("second")
    with pytest.raises(ServiceQuotaExceededException):
        engine.create_index("demo", NewIndex("second", 2, Metric.COSINE))


def test_what_fails_to_open_is_free_again(folder: Path) -> None:
    """An engine that cannot be made of what is there leaves no lock behind."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection, connection:
        connection.execute("DELETE FROM settings")
    for _ in range(2):
        with pytest.raises(StoreError, match="the database is damaged: it has no key to sign tokens with"):
            open_engine(folder)


def test_time_comes_from_the_clock() -> None:
    """Creation times are the clock's, in whole seconds."""
    with Engine(open_store(None), clock=lambda: 1234.9) as engine:
        assert engine.create_bucket("demo").created == 1234


def test_query_token_expires(vector: Make) -> None:
    """A query's token lives some minutes; then it is refused, and says so."""
    now = [0.0]
    with Engine(open_store(None), elapsed=lambda: now[0]) as engine:
        engine.create_bucket("demo")
        engine.create_index("demo", NewIndex("flat", 2, Metric.EUCLIDEAN))
        engine.put_vectors("demo", "flat", [vector(f"k{number}", number, 0) for number in range(101)])
        query = Query(np.zeros(2, np.float32), 101)
        token = engine.query_vectors("demo", "flat", query)[0].next_token
        assert len(engine.query_vectors("demo", "flat", query, token=token)[0].items) == 1
        now[0] = limits.QUERY_TOKEN_SECONDS
        with pytest.raises(ValidationException, match="expired"):
            engine.query_vectors("demo", "flat", query, token=token)


def test_read_only_refuses_writes(folder: Path, vector: Make) -> None:
    """Every write to a read-only engine is AccessDenied, every read works."""
    with open_engine(folder, read_only=True) as reader:
        assert reader.read_only
        assert reader.get_index("demo", "flat").count == 1
        for write in (
            lambda: reader.create_bucket("new"),
            lambda: reader.put_vectors("demo", "flat", [vector("k", 1, 1)]),
            lambda: reader.delete_vectors("demo", "flat", ["one"]),
            lambda: reader.delete_index("demo", "flat"),
            lambda: reader.put_policy("demo", "{}"),
            lambda: reader.set_index_mode("demo", "flat", Mode.ENHANCED),
        ):
            with pytest.raises(AccessDeniedException):
                write()


def test_list_token_survives_reopening(folder: Path, vector: Make) -> None:
    """A token of a list is good after a restart."""
    with open_engine(folder) as engine:
        engine.put_vectors("demo", "flat", [vector("two", 1, 1)])
        token = engine.list_vectors("demo", "flat", limit=1).next_token
    with open_engine(folder) as engine:
        page = engine.list_vectors("demo", "flat", limit=1, token=token)
    assert [each.key for each in page.items] == ["two"]
    assert page.next_token is None


def test_listing_while_writing(engine: Engine, vector: Make) -> None:
    """What is there from the first page to the last comes once, whatever is written and deleted meanwhile."""
    engine.put_vectors("demo", "flat", [vector(f"k{number}", number, 0) for number in range(6)])
    first = engine.list_vectors("demo", "flat", limit=2)
    engine.delete_vectors("demo", "flat", ["k1", "k2"])
    engine.put_vectors("demo", "flat", [vector("k0", 9, 9), vector("new", 9, 9)])
    rest = engine.list_vectors("demo", "flat", limit=100, token=first.next_token)
    assert [each.key for each in rest.items] == ["k3", "k4", "k5", "new"]


def test_page_ends_after_a_megabyte(engine: Engine, vector: Make) -> None:
    """A page of a list ends once it holds about 1 MB, though more was asked for."""
    engine.put_vectors("demo", "flat", [vector(f"k{number}", 1, 1, text="x" * 40000) for number in range(40)])
    page = engine.list_vectors("demo", "flat", metadata=True)
    assert len(page.items) == 25
    assert page.next_token
    assert len(engine.list_vectors("demo", "flat").items) == 40


def test_threads(folder: Path, vector: Make) -> None:
    """Writers and readers in many threads see whole requests only: each put is seen entirely or not at all."""
    with open_engine(folder) as engine, ThreadPoolExecutor(6) as threads:
        stop = threading.Event()
        readers = [threads.submit(_read_until, engine, stop) for _ in range(3)]
        writers = [threads.submit(_write_batches, engine, vector, worker) for worker in range(3)]
        for writer in writers:
            writer.result()
        stop.set()
        assert all(reader.result() > 0 for reader in readers)
        assert engine.get_index("demo", "flat").count == 121
        assert engine.verify() == []


def _read_until(engine: Engine, stop: threading.Event) -> int:
    """Return how often everything was read; a half-written batch fails."""
    times = 0
    query = Query(np.zeros(2, np.float32), 100, {"w": {"$exists": True}})
    while not (stop.is_set() and times):
        hits = engine.query_vectors("demo", "flat", query)[0].items
        assert len({hit.key for hit in hits}) == len(hits)
        assert len(engine.list_vectors("demo", "flat", limit=1000).items) % 10 == 1
        times += 1
    return times


def _write_batches(engine: Engine, vector: Make, worker: int) -> None:
    for batch in range(4):
        keys = [f"w{worker}-{batch}-{number}" for number in range(10)]
        engine.put_vectors("demo", "flat", [vector(key, 1, 1, w=worker) for key in keys])


def test_closed(folder: Path) -> None:
    """After close every call fails; closing twice is fine."""
    engine = open_engine(folder)
    engine.close()
    engine.close()
    with pytest.raises(StoreFailed, match="closed"):
        engine.list_buckets()
