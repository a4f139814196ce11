"""What an engine does beside its callers: new text keys are filled, coarse indexes built, dead rows left behind.

One thread looks at the indexes that were written to; a coarse index on disk is built by a process of its own, so that
no query waits for it, and extended in place by what comes later. An engine that only reads follows what the writer
makes. Failures are logged and tried again after later writes, builds after a while: everything is found without any of
this.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from s3vectors_local.allocator import give_back_what_is_free
from s3vectors_local.errors import EngineError, StoreFailed
from s3vectors_local.model import Index, SearchState
from s3vectors_local.search import Search
from s3vectors_local.search.build import build
from s3vectors_local.search.coarse import Coarse, Room
from s3vectors_local.search.derived import DerivedFiles
from s3vectors_local.search.extension import extended, longer
from s3vectors_local.search.staleness import COMPARED_BYTES, is_build_due, is_extension_due
from s3vectors_local.storage import Store, catalogue, compaction, records, texts

_log = logging.getLogger(__name__)
_PAUSE: Final = 0.2  # seconds between two looks
_LET_GO: Final = 5.0  # seconds between two looks for what other processes have deleted
_REST: Final = 60.0  # seconds after a build that failed, at least
_REST_SHARE: Final = 10  # times as long as it took
_WASTED_BYTES: Final = 64 * 1024 * 1024  # of dead rows, and more of them than live ones: then a new slab is made


class Upkeep:
    """The upkeep of one engine. `folder` is where the data lies, None for memory."""

    def __init__(self, store: Store, files: DerivedFiles | None, folder: Path | None) -> None:
        """Do nothing yet: the thread starts when there is something to look at."""
        self._store = store
        self.search = Search(load=self.load)
        self._files = files
        self._folder = folder
        self._noticed: set[int] = set()
        self._resting: dict[int, float] = {}
        self._watched: dict[int, tuple[int, int] | None] = {}
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._working = threading.RLock()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def load(self, index: Index) -> Coarse | None:
        """Return the coarse index that is kept of an index, None where there is none to use; then look at it soon."""
        if self._files is None:
            self.notice(index)
            return None
        if self._store.read_only:
            self._watch(index, self._files)
        coarse = self._files.load(index)
        if coarse is None and not self._store.read_only:
            self.notice(index)
        return coarse

    def notice(self, index: Index) -> None:
        """Look at an index soon: it was written to."""
        if index.slots * (4 * index.dimension) <= COMPARED_BYTES and not index.is_building:
            return
        with self._lock:
            self._noticed.add(index.id)
            self._start(self._look)
        self._wake.set()

    def forget(self, index: Index) -> None:
        """Remove what is kept of an index that was deleted."""
        self.search.forget(index.id)
        self._resting.pop(index.id, None)
        self._store.slabs.remove(index.id, index.slab)
        if self._files is not None:
            self._files.remove(index.id)

    def state(self, index: Index) -> SearchState:
        """Return how an index is searched. No coarse index is read for it but its head."""
        dead = index.slots - index.count
        summary = self.search.summary(index)
        if summary is None and self._files is not None and not self.search.has_looked(index):
            summary = self._files.summary(index)
        if summary is None:
            return SearchState(1.0, dead=dead)
        depth = summary.tuning.first
        pending = index.slots - summary.end
        return SearchState(depth.recall * summary.reached, summary.lists, depth.nprobe, depth.candidates, pending, dead)

    def settle(self) -> None:
        """Do now, and wait for, what would be done soon."""
        with self._working:
            with self._lock:
                noticed, self._noticed = self._noticed, set()
            for index_id in noticed:
                self._try(index_id, self._tend)

    def close(self) -> None:
        """Stop. What is being built is given up."""
        with self._lock:
            self._stopped.set()
            if self._process is not None:
                self._process.terminate()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def build(self, index_id: int) -> None:
        """Build the coarse index of an index now, and use it. Raises StoreFailed."""
        with self._working:
            index = self._index(index_id)
            if index is None or not index.count:
                return
            if self._folder is None or self._files is None:
                self._build_here(index)
            else:
                self._build_beside(self._folder, self._files, index)

    def refresh(self, index_id: int) -> None:
        """Build the coarse index of an index now, or extend it, if that is due. Raises StoreFailed."""
        index = self._index(index_id)
        coarse = None if index is None else self.search.coarse(index)
        if index is not None and is_build_due(index, coarse):
            self.build(index_id)
            return
        try:
            self._extend_if_due(index_id)
        except FileNotFoundError:  # deleted while it is used, and nothing can be added to it any more
            self.build(index_id)

    def compact(self, index_id: int) -> None:
        """Give an index a slab without dead rows. Raises StoreFailed."""
        with self._working:
            index = self._index(index_id)
            move = compaction.compact(self._store, index) if index and index.slots > index.count else None
            after = self._index(index_id)
            if index is None or move is None or after is None:
                return
            coarse = self.search.coarse(index)
            if coarse is None:
                self.search.forget(index_id)  # else the old slab would be mapped, and take room, until the next query
            else:
                where = {"slab": move.number, "slots": move.slots, "generation": after.generation}
                self._keep(after, coarse.moved(move.to, **where, room=self._room(after)))

    def _start(self, target: Callable[[], None]) -> None:
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=target, name="upkeep", daemon=True)
            self._thread.start()

    def _watch(self, index: Index, files: DerivedFiles) -> None:
        """Look from now on whether another process, the writer, saves another coarse index of an index."""
        with self._lock:
            self._watched[index.id] = files.signature(index.id)
            self._start(lambda: self._follow(files))

    def _follow(self, files: DerivedFiles) -> None:
        let_go = time.monotonic() + _LET_GO
        while not self._stopped.wait(_PAUSE):
            if time.monotonic() > let_go:
                self._let_go()
                let_go = time.monotonic() + _LET_GO
            for index_id, known in list(self._watched.items()):
                if (found := files.signature(index_id)) in {None, known}:
                    continue
                self._watched[index_id] = found
                try:
                    self._load_again(index_id, files)
                except (EngineError, OSError) as error:
                    _log.warning("the coarse index of index %d could not be read again: %s", index_id, error)

    def _let_go(self) -> None:
        """Forget what is mapped of indexes that were deleted, and of slabs that a compaction has left behind."""
        try:
            for index_id, slab in self.search.slabs().items():
                index = self._index(index_id)
                if index is None or index.slab != slab:
                    self.search.forget(index_id)
                if index is None:
                    self._watched.pop(index_id, None)
        except (EngineError, OSError) as error:
            _log.warning("what other processes deleted could not be let go: %s", error)

    def _load_again(self, index_id: int, files: DerivedFiles) -> None:
        index = self._index(index_id)
        if index is None:
            self._watched.pop(index_id, None)
        else:
            self._adopt(index_id, files.load(index))

    def _look(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait()
            self._wake.clear()
            self.settle()
            self._stopped.wait(_PAUSE)

    def _tend(self, index_id: int) -> None:
        self._fill(index_id)
        index = self._index(index_id)
        if index is None or self._stopped.is_set():
            return
        dead = index.slots - index.count
        if dead > index.count and dead * 4 * index.dimension > _WASTED_BYTES:
            self.compact(index_id)
        elif time.monotonic() < self._resting.get(index_id, 0.0):
            self._extend_if_due(index_id)
        else:
            self._refresh_or_rest(index_id)

    def _refresh_or_rest(self, index_id: int) -> None:
        """Do what is due. Where that fails it is left for a while, however much is written: each try costs as much."""
        begun = time.monotonic()
        try:
            self.refresh(index_id)
        except (EngineError, OSError):
            ended = time.monotonic()
            self._resting[index_id] = ended + max(_REST, _REST_SHARE * (ended - begun))
            raise

    def _try(self, index_id: int, work: Callable[[int], None]) -> bool:
        """Do some work, and tell whether it went well; else log why."""
        try:
            work(index_id)
        except (EngineError, OSError) as error:
            if not self._stopped.is_set():
                _log.warning("the upkeep of index %d failed: %s", index_id, error)
            return False
        return True

    def _fill(self, index_id: int) -> None:
        """Index what the new searchable keys of an index still lack, in transactions that other writers get between."""
        while not self._stopped.is_set():
            with self._store.write() as c:
                index = catalogue.index_of(c, index_id)
                building = [key for key in index.texts if key.is_building] if index else []
                if index is None or not building:
                    return
                texts.fill(c, index, building[0])

    def _index(self, index_id: int) -> Index | None:
        with self._store.read() as c:
            return catalogue.index_of(c, index_id)

    def _build_here(self, index: Index) -> None:
        with self._store.read() as c:
            rows = self._store.slabs.slab(index.id, index.slab, dimension=index.dimension).read(
                index.slots, in_order=True
            )
            dead = records.dead(c, index)
        self._adopt(index.id, build(index, rows, dead))

    def _build_beside(self, folder: Path, files: DerivedFiles, index: Index) -> None:
        module = "s3vectors_local.search.build"
        command = [sys.executable, "-m", module, str(folder), str(index.id), str(os.getpid())]
        with self._lock:
            if self._stopped.is_set():
                return
            # A session of its own: a terminal's Ctrl-C is for the engine, which ends it.
            self._process = subprocess.Popen(  # noqa: S603 - ours
                command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
            )
        said = self._meanwhile(self._process, index.id)
        code, self._process = self._process.returncode, None
        if code:
            files.remove_unfinished(index.id)
            raise StoreFailed(f"building its coarse index failed ({code}): {said.decode(errors='replace')[-2000:]}")
        # Writes went on meanwhile, and the process may have seen some of them.
        now = self._index(index.id)
        if now is None:  # deleted meanwhile
            files.remove(index.id)
            return
        files.take_over(index.id)
        self._adopt(index.id, files.load(now))

    def _meanwhile(self, process: subprocess.Popen[bytes], building: int) -> bytes:
        """Wait for the end of a process that builds, and return what it said; extend what is due until then.

        Else what comes during a long build would be in no list, and queries would scan it.
        """
        failed: set[int] = set()
        while True:
            try:
                return process.communicate(timeout=_PAUSE)[1]
            except subprocess.TimeoutExpired:
                with self._lock:
                    noticed = {building, *self._noticed} - failed
                failed |= {index_id for index_id in noticed if not self._try(index_id, self._extend_if_due)}

    def _extend_if_due(self, index_id: int) -> None:
        index = self._index(index_id)
        coarse = None if index is None else self.search.coarse(index)
        if index is not None and coarse is not None and is_extension_due(index, coarse):
            self._extend(index_id, coarse)

    def _extend(self, index_id: int, coarse: Coarse) -> None:
        with self._working:
            with self._store.read() as c:
                index = catalogue.index_of(c, index_id)
                if index is None or index.slab != coarse.slab:
                    return
                rows = self._store.slabs.slab(index.id, index.slab, dimension=index.dimension).read(index.slots)
                dead = records.dead(c, index)
            self._keep(index, extended(coarse, index, rows, dead, longer=self._files.longer if self._files else longer))

    def _room(self, index: Index) -> Room:
        files = self._files
        return np.zeros if files is None else lambda shape, _: files.room(index, shape)

    def _keep(self, index: Index, coarse: Coarse) -> None:
        """Save a coarse index and use it, from the file where there is one: mapped, it takes no memory of its own."""
        if self._files is None:
            self._adopt(index.id, coarse)
            return
        self._files.save(index, coarse)
        now = self._index(index.id)
        if now is None:  # deleted meanwhile
            self._files.remove(index.id)
        else:
            self._adopt(index.id, self._files.load(now))

    def _adopt(self, index_id: int, coarse: Coarse | None) -> None:
        with self._store.read() as c:
            index = catalogue.index_of(c, index_id)
            if index is not None and coarse is not None:
                slab = self._store.slabs.slab(index.id, index.slab, dimension=index.dimension)
                self.search.adopt(c, slab, index, coarse)
        give_back_what_is_free()
