"""A writer is killed at any moment, again and again; an oracle knows what it had acknowledged."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import Metric, NewIndex, NewTextKey, Query, QueryText

KEYS, DIMENSION = 200, 300
# A warm process that forks a writer for each seed it reads: so a cycle takes no start of Python. A writer tells what it
# is about to do, does it, and tells that it is done.
WRITERS = f"""
import json, os, random, sys
from pathlib import Path
import numpy as np
from s3vectors_local.engine import open_engine
from s3vectors_local.model import NewVector

def say(message):
    os.write(1, json.dumps(message).encode() + b"\\n")

def vectors(first, count, value):
    for number in range(first, first + count):
        row = np.full({DIMENSION}, value, np.float32)
        row[0] = number
        yield NewVector(f"k{{number}}", row, {{"value": value, "words": f"all of v{{value}}"}})

def work(folder, seed):
    chance = random.Random(seed)
    with open_engine(folder) as engine:
        engine._store._writer.execute(f"PRAGMA wal_autocheckpoint = {{chance.choice([10, 100, 4000])}}")
        for step in range(1000):
            what = chance.choices(["put", "delete", "compact"], [8, 3, 1])[0]
            first = chance.randrange({KEYS})
            count = chance.randint(1, min(40, {KEYS} - first))
            value = seed * 1000 + step
            say([what, first, count, value])
            if what == "put":
                engine.put_vectors("demo", "flat", list(vectors(first, count, value)))
            elif what == "delete":
                engine.delete_vectors("demo", "flat", [f"k{{number}}" for number in range(first, first + count)])
            else:
                engine.compact("demo", "flat")
            say("done")

for line in sys.stdin:
    writer = os.fork()
    if not writer:
        say(["writer", os.getpid()])
        work(Path(sys.argv[1]), int(line))
        os._exit(0)
    os.waitpid(writer, 0)
    say("killed")
"""
Model = dict[int, int]


@dataclass
class Oracle:
    """What is stored: the value under each key; and perhaps one step that was begun and not acknowledged."""

    stored: Model = field(default_factory=dict)
    begun: Model | None = None
    acknowledged: int = 0
    whole: int = 0
    """Unacknowledged steps that were there afterwards."""
    absent: int = 0
    """Unacknowledged steps that were not."""

    def begin(self, what: str, first: int, count: int, value: int) -> None:
        """Note a step."""
        keys = range(first, first + count)
        self.begun = dict(self.stored)
        if what == "put":
            self.begun |= dict.fromkeys(keys, value)
        if what == "delete":
            self.begun = {key: old for key, old in self.stored.items() if key not in keys}

    def acknowledge(self) -> None:
        """Count on the step."""
        assert self.begun is not None
        self.stored, self.begun, self.acknowledged = self.begun, None, self.acknowledged + 1

    def found(self, found: Model) -> None:
        """Compare, and go on from what there is."""
        assert found in (self.stored, self.stored if self.begun is None else self.begun)
        if self.begun not in (None, self.stored):
            self.whole += found == self.begun
            self.absent += found == self.stored
        self.stored, self.begun = found, None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with an empty index whose `words` are searchable."""
    with open_engine(tmp_path / "data") as engine:
        engine.create_bucket("demo")
        texts = (NewTextKey("words"),)
        engine.create_index("demo", NewIndex("flat", DIMENSION, Metric.EUCLIDEAN, texts=texts))
    return tmp_path / "data"


@pytest.fixture
def writers(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Give the warm process."""
    command = [sys.executable, "-c", WRITERS, str(folder)]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # a process that forks has one thread
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=alone
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def test_kills(folder: Path, writers: subprocess.Popen[str]) -> None:
    """After kill -9 every acknowledged put and delete is there, a later one entirely or not at all."""
    _kill_again_and_again(folder, writers, cycles=60)


@pytest.mark.slow
def test_kills_for_long(folder: Path, writers: subprocess.Popen[str]) -> None:
    """The same a thousand times, or as often as S3VECTORS_KILLS says."""
    cycles = int(os.environ.get("S3VECTORS_KILLS", "1000"))
    start = time.monotonic()
    oracle = _kill_again_and_again(folder, writers, cycles=cycles)
    told = f"{cycles} kills in {time.monotonic() - start:.0f} s: {oracle.acknowledged} acknowledged writes are there; "
    print(f"{told}of the others {oracle.whole} are there, {oracle.absent} are not")  # noqa: T201


def _kill_again_and_again(folder: Path, writers: subprocess.Popen[str], *, cycles: int) -> Oracle:
    oracle = Oracle()
    chance = random.Random(cycles)  # noqa: S311 - no secret
    for seed in range(1, cycles + 1):
        _kill_one(writers, oracle, chance, seed)
        # A reader leaves what the next writer then has to recover from.
        with open_engine(folder, read_only=chance.random() < 0.5) as engine:
            assert engine.verify() == [], f"cycle {seed}"
            oracle.found(_stored(engine))
            _compare_by_text(engine, oracle.stored, chance)
    return oracle


def _kill_one(writers: subprocess.Popen[str], oracle: Oracle, chance: random.Random, seed: int) -> None:
    assert writers.stdin
    writers.stdin.write(f"{seed}\n")
    messages = _messages(writers)
    _, writer = next(messages)
    left = chance.choice([0, 1, 2, 5, 15])
    while left:
        left -= _hear(oracle, next(messages))
    # Somewhere inside the opening, or inside one of the next writes.
    time.sleep(chance.random() * chance.choice([0.001, 0.004, 0.02]))
    os.kill(writer, signal.SIGKILL)
    for message in messages:
        if message == "killed":
            return
        _hear(oracle, message)


def _messages(writers: subprocess.Popen[str]) -> Iterator[Any]:
    assert writers.stdout
    return map(json.loads, writers.stdout)


def _hear(oracle: Oracle, message: Any) -> bool:
    """Return whether a step was acknowledged."""
    if message == "done":
        oracle.acknowledge()
        return True
    oracle.begin(*message)
    return False


def _stored(engine: Engine) -> Model:
    found: Model = {}
    for vector in engine.list_vectors("demo", "flat", limit=1000, data=True, metadata=True).items:
        row = np.asarray(vector.data)
        value = json.loads(vector.metadata or b"{}")["value"]
        assert vector.key == f"k{int(row[0])}"
        assert (row[1:] == np.float32(value)).all()
        found[int(row[0])] = value
    return found


def _compare_by_text(engine: Engine, stored: Model, chance: random.Random) -> None:
    for value in chance.sample(sorted(set(stored.values())), min(2, len(set(stored.values())))):
        query = Query(None, KEYS, texts=(QueryText("words", f"V{value}"),))
        keys = {hit.key for hit in engine.query_vectors("demo", "flat", query)[0].items}
        expected = {f"k{key}" for key, each in stored.items() if each == value}
        assert keys == expected
