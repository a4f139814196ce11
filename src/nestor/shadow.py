"""Shadow queries: some questions asked again beside the answer, exactly and at the full size, to know the recall."""

import base64
import binascii
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson

from nestor.domain import FULL_DIMENSION, Embedding, Filter
from nestor.errors import InvalidInput
from nestor.ports import VectorSearch
from nestor.strategies.base import Asked, Strategy
from nestor.strategies.direct import Direct
from nestor.strategies.hierarchical import Hierarchical
from nestor.strategies.named import strategy
from nestor.strategies.refetch import Refetch
from nestor.telemetry import Metrics

WAITING = 16
"""Sampled questions that may wait for their comparison."""
PATIENCE = 0.2
"""Seconds for a message after the answer is there: it takes some tens of milliseconds, as the search beside it does."""
PAUSE = 0.05
"""Seconds before each comparison: begun at once it would run beside the very search that it must not slow down."""
SHARE = 0.005
"""Of the time that comparing may take. Questions share the interpreter with it, so that one in 200 meets a comparison,
however many are asked and sampled: too few to move what 99 in 100 stay below."""
_COMPARABLE = frozenset({Direct.name, Hierarchical.name, Refetch.name})
"""`hybrid` is no approximation of `direct` and needs words, which go nowhere; `manual` would read everything again."""
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """A question that was asked, without its words."""

    embedding: Embedding
    """Shape (3072,)."""
    strategy: str
    dimension: int
    top_k: int
    coarse: int
    candidates: int
    where: Filter | None = None

    @property
    def comparable(self) -> bool:
        """Whether the answer may differ from the exact one, and is meant to be like it."""
        return self.strategy in _COMPARABLE and (self.strategy, self.dimension) != (Direct.name, FULL_DIMENSION)

    def message(self) -> str:
        """Return it as JSON; the embedding is base64 of its float32, little-endian."""
        members = {name: getattr(self, name) for name in self.__slots__}
        embedding = base64.b64encode(self.embedding.astype(_FLOAT).tobytes()).decode()
        return orjson.dumps(members | {"embedding": embedding}).decode()


def shadowed(message: str) -> Shadowed:
    """Return what `Shadowed.message` wrote. Raises InvalidInput for anything else."""
    try:
        members: dict[str, Any] = orjson.loads(message)
        embedding = np.frombuffer(base64.b64decode(members["embedding"], validate=True), _FLOAT).astype(np.float32)
        made = Shadowed(**members | {"embedding": embedding})
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise InvalidInput(
            "The message is no shadow query: it was written by another release, or not by us."
        ) from error
    if embedding.shape != (FULL_DIMENSION,) or not np.isfinite(embedding).all():
        raise InvalidInput(f"The shadow query's embedding is not one row of {FULL_DIMENSION:,} finite numbers.")
    return made


class Shadows(Protocol):
    """Takes questions to be asked again."""

    def offer(self, question: Shadowed) -> None:
        """Take the question or leave it. Never waits, never raises."""
        ...


class Messages(Protocol):
    """Where messages go."""

    def send(self, message: str) -> None:
        """Send one. Raises anything."""
        ...


class Sampler:
    """Says of some questions that they are to be asked again."""

    def __init__(self, rate: float, *, draw: Callable[[], float] = random.random) -> None:
        """Choose that share of them, 0 to 1; `draw` gives numbers from 0 to below 1."""
        self._rate = rate
        self._draw = draw

    def __call__(self, question: Shadowed) -> bool:
        """Say whether this one is."""
        return question.comparable and self._draw() < self._rate


class Shadow:
    """Asks again."""

    def __init__(self, vectors: VectorSearch) -> None:
        """Ask these indexes."""
        self._vectors = vectors

    def compare(self, question: Shadowed) -> float | None:
        """Return which share of the exact keys the strategy finds, 0 to 1; None when nothing is to be found.

        Raises InvalidInput, VectorsError.
        """
        way = strategy(question.strategy, self._vectors, coarse=question.coarse, candidates=question.candidates)
        exact = self._keys(Direct(self._vectors), question, FULL_DIMENSION)
        if not exact:
            return None
        return len(exact & self._keys(way, question, question.dimension)) / len(exact)

    def _keys(self, way: Strategy, question: Shadowed, dimension: int) -> set[str]:
        asked = Asked(embedding=question.embedding, dimension=dimension, top_k=question.top_k, where=question.where)
        return {hit.key for hit in way.search(asked).hits}


class Beside:
    """Compares in one thread of its own, which begins with the first sampled question; drops what finds no room."""

    def __init__(
        self,
        shadow: Shadow,
        *,
        sampler: Sampler,
        metrics: Metrics,
        waiting: int = WAITING,
        pause: float = PAUSE,
        share: float = SHARE,
    ) -> None:
        """Compare those that the sampler chooses, and count; rest after each, to keep to the share."""
        self._shadow = shadow
        self._sampler = sampler
        self._metrics = metrics
        self._waiting: queue.Queue[Shadowed | None] = queue.Queue(waiting)
        self._pause = pause
        self._share = share
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def offer(self, question: Shadowed) -> None:
        """Take the question when it is sampled and there is room."""
        if self._closed.is_set() or not self._sampler(question):
            return
        self._start()
        try:
            self._waiting.put_nowait(question)
        except queue.Full:
            self._count("dropped", question)

    def close(self) -> None:
        """Finish the comparison that runs and drop the rest. Nothing is taken after it."""
        self._closed.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def settle(self) -> None:
        """Wait until everything taken was compared."""
        self._waiting.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (question := self._waiting.get()) is not None:
            if self._closed.wait(self._pause):
                self._count("dropped", question)
                self._waiting.task_done()
                continue
            started = time.perf_counter()
            self._compare(question)
            self._waiting.task_done()
            self._closed.wait((time.perf_counter() - started) * (1 / self._share - 1))

    def _compare(self, question: Shadowed) -> None:
        try:
            recall = self._shadow.compare(question)
        except Exception:  # noqa: BLE001  # the thread's entry point: nobody waits for it, and it must go on
            self._count("failed", question)
            return
        self._count("empty" if recall is None else "compared", question, recall)

    def _count(self, result: str, question: Shadowed, recall: float | None = None) -> None:
        self._metrics.shadow(result, strategy=question.strategy, dimension=question.dimension, recall=recall)


class Elsewhere:
    """Sends the sampled question of one request, to be compared in another process, from beside the search."""

    def __init__(self, messages: Messages, *, sampler: Sampler, metrics: Metrics) -> None:
        """Send those that the sampler chooses, and count."""
        self._messages = messages
        self._sampler = sampler
        self._metrics = metrics
        self._sending: tuple[Shadowed, threading.Thread] | None = None
        self._sent = False

    def offer(self, question: Shadowed) -> None:
        """Begin to send the question when it is sampled."""
        if self._sampler(question):
            thread = threading.Thread(target=self._send, args=(question,), name="shadow", daemon=True)
            self._sending = question, thread
            thread.start()

    def settle(self) -> None:
        """Count what became of it; what still goes is counted failed, for a function stops between requests."""
        if self._sending is None:
            return
        question, thread = self._sending
        self._sending = None
        thread.join(PATIENCE)
        result = "sent" if self._sent else "failed"
        self._metrics.shadow(result, strategy=question.strategy, dimension=question.dimension)

    def _send(self, question: Shadowed) -> None:
        try:
            self._messages.send(question.message())
        except Exception:  # noqa: BLE001  # the thread's entry point: `settle` counts it, and the answer must not fail
            return
        self._sent = True
