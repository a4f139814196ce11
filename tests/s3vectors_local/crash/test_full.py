"""The disk is full: a clear 503, nothing of the write is stored, nothing else is lost, and with room it goes on."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import ServiceUnavailableException
from s3vectors_local.model import NewVector
from s3vectors_local.operations.wire import Call, answer

Write = Callable[[], Any]
FULL = "The disk is full: nothing was stored. Make room and try again"


def _put(engine: Engine, first: int, count: int = 1, **metadata: Any) -> None:
    rows = [NewVector(f"k{first + n}", np.array([first, n], np.float32), metadata) for n in range(count)]
    engine.put_vectors("demo", "flat", rows)


def _count(engine: Engine) -> int:
    return engine.get_index("demo", "flat").count


@pytest.mark.parametrize("call", ["pwrite", "ftruncate", "fdatasync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_rows(folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    """Wherever the system says so while rows are written, the write is refused and the next one is not."""
    with open_engine(folder) as engine:
        _put(engine, 1)
        real: Callable[..., Any] = getattr(os, call)

        def full(*args: Any) -> None:
            if call == "pwrite":  # a part of it is written
                real(args[0], args[1][:20], args[2])
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, call, full)
        with pytest.raises(ServiceUnavailableException, match=FULL):
            _put(engine, 10, 5000)
        assert (_count(engine), engine.verify()) == (2, [])
        monkeypatch.undo()
        _put(engine, 20, 3)
        assert (_count(engine), engine.verify()) == (5, [])
    with open_engine(folder) as engine:
        assert (_count(engine), engine.verify()) == (5, [])


def test_no_room_in_the_database(folder: Path) -> None:
    """The same when SQLite says so: for vectors, deletes and buckets."""
    with open_engine(folder) as engine:
        _put(engine, 1, 300, words="x" * 1000)
        writer = engine._store._writer
        assert writer is not None
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
        writes: list[Write] = [
            lambda: _put(engine, 1000, 300, words="y" * 1000),
            lambda: [engine.create_bucket(f"bucket-{number}") for number in range(1000)],
        ]
        for write in writes:
            with pytest.raises(ServiceUnavailableException, match=FULL):
                write()
        assert _count(engine) == 301
        writer.execute("PRAGMA max_page_count = 1000000")
        _put(engine, 1000, 300)
        assert (_count(engine), engine.verify()) == (601, [])


def test_over_the_wire(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client gets 503 with the sentence, and its next try succeeds."""
    body = {"vectorBucketName": "demo", "indexName": "flat", "vectors": [{"key": "k", "data": {"float32": [1, 2]}}]}
    call = Call("POST", "/PutVectors", body=json.dumps(body).encode())

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with open_engine(folder) as engine:
        monkeypatch.setattr(os, "pwrite", full)
        refused = answer(engine, call)
        monkeypatch.undo()
        assert refused.status == 503
        assert refused.headers["x-amzn-errortype"] == "ServiceUnavailableException"
        assert json.loads(refused.body)["message"] == FULL
        assert answer(engine, call).status == 200


# In a mount namespace of its own: a file system of 4 MB, filled by puts until it is full, in turn with everything else.
FILLED = """
import subprocess, sys
from pathlib import Path
import numpy as np
from s3vectors_local.engine import open_engine
from s3vectors_local.errors import ServiceUnavailableException
from s3vectors_local.model import Metric, NewIndex, NewVector

room = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", room], check=True)
ballast = room / "ballast"
ballast.write_bytes(bytes(1_500_000))
print("mounted", flush=True)
keys = lambda: [vector.key for vector in engine.list_vectors("demo", "flat", limit=1000).items]
rows = lambda n: [NewVector(f"{n}-{m}", np.full(256, n, np.float32), {"text": "x" * 3000}) for m in range(20)]
refused = 0
with open_engine(room / "data") as engine:
    engine._store._writer.execute("PRAGMA wal_autocheckpoint = 100")
    engine.create_bucket("demo")
    engine.create_index("demo", NewIndex("flat", 256, Metric.EUCLIDEAN, non_filterable=("text",)))
    stored = 0
    while not refused:
        try:
            engine.put_vectors("demo", "flat", rows(stored))
            stored += 1
        except ServiceUnavailableException as error:
            assert "disk is full" in str(error), error
            refused += 1
    for _ in range(30):
        for write in (lambda: engine.put_vectors("demo", "flat", rows(stored)), lambda: engine.compact("demo", "flat"),
                      lambda: engine.delete_vectors("demo", "flat", [f"{stored - 1}-0"]),
                      lambda: engine.put_vectors("demo", "flat", rows(0))):
            try:
                write()
            except ServiceUnavailableException as error:
                assert "disk is full" in str(error), error
                refused += 1
    assert 20 * stored - 1 <= len(keys()) <= 20 * stored + 20, (len(keys()), stored)
    assert engine.verify() == []
    left = keys()
with open_engine(room / "data", read_only=True) as engine:
    assert keys() == left
ballast.unlink()
with open_engine(room / "data") as engine:
    assert keys() == left
    engine.put_vectors("demo", "flat", rows(1000))
    engine.compact("demo", "flat")
    assert keys()[-20:] == [f"1000-{m}" for m in range(20)]
    assert engine.verify() == []
print("refused", refused, "stored", stored)
"""


def test_a_file_system_that_is_full(tmp_path: Path) -> None:
    """A real one, filled to the last byte: the engine answers 503 again and again, and lives on when there is room."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare")
    command = [unshare, "--map-root-user", "--mount", sys.executable, "-c", FILLED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "mounted" not in done.stdout:
        pytest.skip(f"no file system may be mounted here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[2]) > 30
