"""Readers and a writer for a server, each for a process of its own, that end by themselves.

The writer changes no right answer: it overwrites rows with themselves, and the new rows it puts, and later deletes, are
stored ones with the sign turned, which are near to no query. So recall can be measured while it writes.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bench.contenders.contender import metadata
from bench.contenders.engine_inside import BUCKET, INDEX
from bench.dataset import Dataset
from bench.loadreport import Spell
from bench.nested import Ints
from bench.recall import Judge
from bench.serving import Connection, Refused, encoded

BATCH = 50
"""Vectors in a PutVectors or DeleteVectors."""
WINDOW = 40
"""Batches of new rows that live at a time."""
KEPT = 3
"""Messages kept of the failures of an interval."""
PAUSE = 0.1
"""Seconds to wait after a failure."""
_PLACE = {"vectorBucketName": BUCKET, "indexName": INDEX}


@dataclass(frozen=True, slots=True)
class Plan:
    """What all have in common: whom to ask, and the times, in seconds of the monotonic clock."""

    url: str
    made: Dataset
    start: float
    seconds: float
    interval: float

    def now(self) -> int:
        """Return the interval that it is."""
        return int((time.monotonic() - self.start) / self.interval)

    def over(self) -> bool:
        """Return True at the end."""
        return time.monotonic() >= self.start + self.seconds


class Results(Protocol):
    """A queue between processes."""

    def put(self, item: Spell) -> None:
        """Take an item."""


def read(plan: Plan, number: int, results: Results) -> None:
    """Ask one query after the other until the end."""
    queries = plan.made.queries
    asked = [
        encoded({**_PLACE, "topK": 10, "queryVector": {"float32": query}, "returnDistance": True}) for query in queries
    ]
    judge = Judge(plan.made, "all", 10)
    connection = Connection(plan.url)

    def once(turn: int, spell: Spell) -> None:
        query = (turn + number * 61) % len(asked)
        started = time.perf_counter()
        answer = connection.post("QueryVectors", asked[query])
        spell.milliseconds.append((time.perf_counter() - started) * 1000)
        spell.recalls.append(judge.recall(query, rows_of(answer, wanted=min(10, plan.made.rows))))

    _repeat(plan, "read", once, results)
    connection.close()


def write(plan: Plan, rate: float, results: Results) -> None:
    """Put and delete at `rate` vectors a second until the end, or as fast as the server lets."""
    writer = _Writer(plan)

    def once(turn: int, spell: Spell) -> None:
        time.sleep(max(0.0, plan.start + turn * BATCH / rate - time.monotonic()))
        spell.milliseconds.append(writer.put())
        spell.vectors += BATCH

    _repeat(plan, "write", once, results)


def rows_of(answer: Any, *, wanted: int) -> list[int]:
    """Return the row numbers of an answer, -1 for the writer's own. Raises Refused when it cannot be right."""
    hits = answer["vectors"]
    distances = [hit["distance"] for hit in hits]
    if len(hits) != wanted or distances != sorted(distances) or not all(map(math.isfinite, distances)):
        raise Refused(f"QueryVectors: {len(hits)} hits with the distances {distances}")
    return [int(hit["key"]) if hit["key"].isdigit() else -1 for hit in hits]


class _Writer:
    """Puts new rows and overwrites old ones in turn; deletes the new ones after a while."""

    def __init__(self, plan: Plan) -> None:
        self._made = plan.made
        self._connection = Connection(plan.url)
        self._draw = np.random.default_rng(0)
        self._alive: deque[list[str]] = deque()
        self._turn = 0

    def put(self) -> float:
        """Write a batch, and delete one where too many live; return the milliseconds of the put."""
        self._turn += 1
        rows = np.sort(self._draw.choice(self._made.rows, BATCH, replace=False))
        body = self._new(rows) if self._turn % 2 else self._again(rows)
        started = time.perf_counter()
        self._connection.post("PutVectors", body)
        milliseconds = (time.perf_counter() - started) * 1000
        if len(self._alive) > WINDOW:
            self._connection.post("DeleteVectors", encoded({**_PLACE, "keys": self._alive.popleft()}))
        return milliseconds

    def _new(self, rows: Ints) -> bytes:
        keys = [f"new-{self._turn}-{row}" for row in rows]
        self._alive.append(keys)
        return self._body(keys, rows, -1)

    def _again(self, rows: Ints) -> bytes:
        return self._body([str(row) for row in rows], rows, 1)

    def _body(self, keys: list[str], rows: Ints, sign: int) -> bytes:
        parts = zip(keys, np.float32(sign) * self._made.vectors[rows], metadata(rows), strict=True)
        vectors = [{"key": key, "data": {"float32": row}, "metadata": fields} for key, row, fields in parts]
        return encoded({**_PLACE, "vectors": vectors})


def _repeat(plan: Plan, kind: str, once: Callable[[int, Spell], None], results: Results) -> None:
    """Do it again and again; send what was done in each interval when the next one begins."""
    time.sleep(max(0.0, plan.start - time.monotonic()))
    spell = Spell(kind, 0)
    turn = 0
    while not plan.over():
        if plan.now() != spell.interval:
            results.put(spell)
            spell = Spell(kind, plan.now())
        try:
            once(turn, spell)
        except (Refused, OSError) as error:
            spell.failures += 1
            if len(spell.errors) < KEPT:
                spell.errors.append(f"{type(error).__name__}: {error}")
            time.sleep(PAUSE)
        turn += 1
    results.put(spell)
