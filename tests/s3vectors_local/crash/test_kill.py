"""A writer is killed at any moment; what it had acknowledged is there."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import NewTextKey, Query, QueryText

BATCH = 20
WRITER = """
import sys
from pathlib import Path
import numpy as np
from s3vectors_local import open_engine
from s3vectors_local.model import NewVector

def texts(batch):
    return {"batch": batch, "words": f"all of batch b{batch}"}

start = int(sys.argv[2])
with open_engine(Path(sys.argv[1])) as engine:
    for batch in range(start, start + 100_000):
        data = np.full(2, batch, np.float32)
        engine.put_vectors("demo", "flat", [NewVector(f"{batch}-{n}", data, texts(batch)) for n in range(20)])
        print(batch, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 30])
def test_kill_while_writing(folder: Path, acknowledged: int) -> None:
    """After kill -9 every acknowledged put is there entirely, a later one entirely or not at all, twice over.

    The same holds for what is found by text.
    """
    start = 0
    with open_engine(folder) as engine:
        engine.add_text_keys("demo", "flat", [NewTextKey("words")])
    for _ in range(2):
        last = _write_and_kill(folder, start, acknowledged)
        with open_engine(folder) as engine:
            assert engine.verify() == []
            found = _batches(engine)
            assert {batch: _found_by_text(engine, batch) for batch in found} == found
        assert all(found.get(batch) == BATCH for batch in range(last + 1))
        assert set(found.values()) == {BATCH}
        start = max(found) + 1


def _write_and_kill(folder: Path, start: int, acknowledged: int) -> int:
    """Return the last batch that was acknowledged."""
    command = [sys.executable, "-c", WRITER, str(folder), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        last = [int(process.stdout.readline()) for _ in range(acknowledged)][-1]
        time.sleep(acknowledged / 10_000)  # somewhere inside a later put
        process.kill()
        rest = process.stdout.read().splitlines()
    return int(rest[-1]) if rest else last


def _batches(engine: Engine) -> dict[int, int]:
    found: dict[int, int] = {}
    token = None
    while True:
        page = engine.list_vectors("demo", "flat", limit=1000, token=token)
        for vector in page.items:
            if vector.key != "one":
                batch = int(vector.key.split("-")[0])
                found[batch] = found.get(batch, 0) + 1
        token = page.next_token
        if token is None:
            return found


def _found_by_text(engine: Engine, batch: int) -> int:
    query = Query(None, 100, texts=(QueryText("words", f"B{batch}"),))
    return len(engine.query_vectors("demo", "flat", query)[0].items)
