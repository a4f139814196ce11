"""Many files read in processes of their own, so that a parser that crashes or hangs costs one file."""

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from nestor.domain import Reading
from nestor.errors import InvalidInput, NestorError, UnreadableFile
from nestor.media.options import ReadOptions, require_extras
from nestor.media.process import ReaderProcess

READER = "nestor.media.reader:read"
_AHEAD = 4
"""Files per process that are read before they are asked for."""
_LOOK_SECONDS = 0.1


class ReaderPool:
    """Reads files in `jobs` processes, which start when they are needed and end with the `with` block.

    `reader` names the function that they call, as `module:function`; it takes a path and the options. The processes
    start afresh (no fork of this process and its threads), and need no semaphores or shared memory. Raises InvalidInput
    for less than one job, MissingExtra when the options need what is not installed.
    """

    def __init__(self, jobs: int | None = None, options: ReadOptions | None = None, *, reader: str = READER) -> None:
        self._jobs = jobs if jobs is not None else _processors()
        if self._jobs < 1:
            raise InvalidInput(f"A pool needs at least one job, not {jobs}.")
        self._options = options or ReadOptions()
        require_extras(self._options)
        self._reader = reader
        self._lock = threading.Lock()
        self._workers: set[ReaderProcess] = set()
        self._idle: list[ReaderProcess] = []
        self._closed = False
        self._threads = ThreadPoolExecutor(self._jobs, thread_name_prefix="nestor-reader")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, also those that are still reading."""
        with self._lock:
            self._closed = True
            workers = list(self._workers)
        for worker in workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()

    def read_all(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[Path, Reading | UnreadableFile]]:
        """Yield each path with what it holds or why it cannot be read, in the order given, a few files ahead at most.

        A file that takes longer than timeout_seconds, or that ends its process, is reported as such; the others go on.
        """
        waiting: deque[tuple[Path, Future[Reading | UnreadableFile]]] = deque()
        rest = map(Path, paths)
        try:
            while True:
                for path in islice(rest, self._jobs * _AHEAD - len(waiting)):
                    waiting.append((path, self._threads.submit(self._read, path)))
                if not waiting:
                    return
                path, future = waiting.popleft()
                yield path, self._awaited(future)
        finally:
            for _, future in waiting:
                future.cancel()

    def _awaited(self, future: "Future[Reading | UnreadableFile]") -> Reading | UnreadableFile:
        """Wait for the answer and meanwhile watch the clock of every process."""
        while True:
            try:
                return future.result(timeout=_LOOK_SECONDS)
            except TimeoutError:
                with self._lock:
                    workers = list(self._workers)
                for worker in workers:
                    worker.kill_if_overdue()

    def _read(self, path: Path) -> Reading | UnreadableFile:
        worker = self._take()
        try:
            worker.wait_until_ready()
            result = worker.read(path)
        except BaseException:
            self._drop(worker)
            raise
        if worker.alive:
            self._give_back(worker)
        else:
            self._drop(worker)
        return result

    def _take(self) -> ReaderProcess:
        with self._lock:
            if self._closed:
                raise NestorError("The pool of readers is closed.")
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                self._workers.discard(worker)
                worker.close()
            worker = ReaderProcess(self._reader, self._options)
            self._workers.add(worker)
        return worker

    def _give_back(self, worker: ReaderProcess) -> None:
        with self._lock:
            self._idle.append(worker)

    def _drop(self, worker: ReaderProcess) -> None:
        worker.close()
        with self._lock:
            self._workers.discard(worker)


def _processors() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
