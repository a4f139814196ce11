"""The queue of jobs, and the one thread that does them."""

import queue
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nestor import media
from nestor.domain import Manifest, file_uri
from nestor.errors import InvalidInput, NestorError
from nestor.ingest import Ingest
from nestor.library import Library
from nestor.moments import path_of
from nestor.outcome import Labels
from nestor.ports import Manifests
from nestor.uploads.incoming import PARTIAL, Incoming
from nestor.uploads.jobs import Job, JobFile, Records, Stage, State
from nestor.uploads.telling import Stopped

Tell = Callable[[int, int], None]
Ingesting = Callable[[Tell], Ingest]
"""Makes an ingest that calls back with how many segments are embedded, of how many."""

KEPT = 200
"""Jobs that are over and still told of."""
PAUSES = (5.0, 30.0, 120.0)
"""Seconds before each further try, when the embedder or the store is for the moment not there."""


class QueueFull(NestorError):
    """Too many jobs wait already."""

    retryable = True


class AssetBusy(NestorError):
    """The asset is being ingested or deleted."""

    retryable = True


class NoSuchAsset(InvalidInput):
    """Nothing is stored under that id."""


class Uploads:
    """Takes files in, ingests them in one thread, and keeps deletions out of its way. Threads may share it.

    Each asset is written by one of them at a time: a job that has it among its files, or a deletion.
    """

    def __init__(
        self,
        home: Path,
        *,
        ingesting: Ingesting,
        library: Library,
        manifests: Manifests,
        options: media.ReadOptions | None = None,
        most_jobs: int = 100,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        """Keep files in `uploads` and jobs in `jobs`, both in the home; at most so many jobs are not over."""
        self._folder = home / "uploads"
        self._records = Records(home / "jobs")
        self._ingesting = ingesting
        self._library = library
        self._manifests = manifests
        self._options = options or media.ReadOptions()
        self._most_jobs = most_jobs
        self._pauses = pauses
        # For what is below it; held for a moment only, since an event loop asks for jobs.
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._deleting: set[str] = set()
        # Held from looking at a file until its job is admitted, and while files are removed; taken before `_lock`.
        self._filing = threading.Lock()
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work, first on what an earlier process did not finish. Raises HomeUnusable."""
        for leftover in self._folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for job in self._records.all():
            self._jobs[job.id] = job if job.is_over else job.begun_again()
            if not job.is_over:
                self._queue.put(job.id)
        self._thread = threading.Thread(target=self._work, name="nestor-jobs", daemon=True)
        self._thread.start()

    def close(self, *, seconds: float = 10.0) -> bool:
        """Stop after what is being stored, and say whether that came within so many seconds; the rest is kept."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def receive(self) -> Incoming:
        """Return what takes the files of one upload. Raises HomeUnusable."""
        return Incoming(self._folder)

    def submit(self, paths: Sequence[Path], *, labels: Labels | None = None) -> Job:
        """Return the job that ingests the files; its record is durable. Sidecars are read with what they tell about.

        Raises QueueFull, AssetBusy, and InvalidInput where there is nothing to ingest.
        """
        labels = labels or Labels()
        files = tuple(JobFile(uri=file_uri(path), name=path.name) for path in paths if not media.is_sidecar(path))
        if not files:
            raise InvalidInput("There is nothing to ingest: what came only tells about other files.")
        job = Job(
            id=secrets.token_hex(12),
            files=files,
            submitted_at=time.time(),
            collection=labels.collection,
            tags=labels.tags,
        )
        with self._lock:
            self._admit(job)
            self._jobs[job.id] = job
        try:
            self._records.put(job)
        except NestorError:
            with self._lock:
                del self._jobs[job.id]
            raise
        with self._lock:
            self._prune()
        self._queue.put(job.id)
        return job

    def take(self, incoming: Incoming, *, labels: Labels | None = None) -> Job:
        """Return the job for all files of an upload; what cannot be ingested is not kept. Raises as `submit` does."""
        with self._filing:
            paths = incoming.keep()
            try:
                return self.submit(paths, labels=labels)
            except NestorError:
                self._discard(paths[0].parent)
                raise

    def again(self, object_id: str) -> Job:
        """Return the job that ingests a stored asset's file again; an unchanged file is left as it is.

        Raises NoSuchAsset, QueueFull, AssetBusy, and InvalidInput where its file is not on this machine any more.
        """
        manifest = self._manifest(object_id)
        path = path_of(manifest.uri)
        with self._filing:
            if path is None or not path.is_file():
                raise InvalidInput(f"{manifest.file_name or manifest.uri} is not on this machine (any more).")
            return self.submit([path], labels=Labels(manifest.collection, manifest.tags))

    def delete(self, object_id: str) -> Manifest:
        """Remove the asset, and its file where it was uploaded; return what was stored of it.

        Raises NoSuchAsset, AssetBusy, VectorsError.
        """
        manifest = self._manifest(object_id)
        with self._alone(manifest):
            deleted = self._library.delete(manifest.uri)
            self._remove_upload(manifest)
        return deleted

    def job(self, job_id: str) -> Job | None:
        """Return the job as it is now, None when there is none of that id."""
        with self._lock:
            return self._jobs.get(job_id)

    def jobs(self) -> list[Job]:
        """Return the jobs, the latest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: job.submitted_at, reverse=True)

    def _manifest(self, object_id: str) -> Manifest:
        manifest = self._manifests.get(object_id)
        if manifest is None:
            raise NoSuchAsset(f"Nothing is stored under {object_id}.")
        return manifest

    def _admit(self, job: Job) -> None:
        unfinished = sum(not each.is_over for each in self._jobs.values())
        if unfinished >= self._most_jobs:
            raise QueueFull(f"{unfinished} jobs are waiting already. Try again when some are done.")
        if any(file.uri in self._deleting for file in job.files):
            raise AssetBusy("The asset is being deleted. Try again in a moment.")

    def _prune(self) -> None:
        over = sorted((job for job in self._jobs.values() if job.is_over), key=lambda job: job.submitted_at)
        for job in over[: max(0, len(over) - KEPT)]:
            del self._jobs[job.id]
            self._records.drop(job.id)

    @contextmanager
    def _alone(self, manifest: Manifest) -> Iterator[None]:
        with self._lock:
            waiting = {file.uri for job in self._jobs.values() if not job.is_over for file in job.files}
            if manifest.uri in waiting | self._deleting:
                raise AssetBusy(f"{manifest.file_name} is being ingested or deleted. Try again when that is done.")
            self._deleting.add(manifest.uri)
        try:
            yield
        finally:
            with self._lock:
                self._deleting.discard(manifest.uri)

    def _remove_upload(self, manifest: Manifest) -> None:
        path = path_of(manifest.uri)
        if path is None or path.parent.parent != self._folder:
            return
        with self._filing:
            path.unlink(missing_ok=True)
            self._discard(path.parent)

    def _discard(self, folder: Path) -> None:
        """Remove the folder of an upload of which nothing is stored, and nothing is to be. For who holds `_filing`."""
        with self._lock:
            awaited = {file.uri for job in self._jobs.values() if not job.is_over for file in job.files}
        below = file_uri(folder) + "/"
        if not self._library.below(file_uri(folder)) and not any(uri.startswith(below) for uri in awaited):
            shutil.rmtree(folder, ignore_errors=True)

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None and not self._stopping.is_set():
            try:
                self._do(job_id)
            except Stopped:
                return  # the record says that it is not over

    def _do(self, job_id: str) -> None:
        self._change(job_id, state=State.RUNNING, stage=Stage.READING)
        for pause in (*self._pauses, None):
            try:
                self._ingest(job_id)
                self._finish(job_id, State.DONE)
            except NestorError as error:
                if error.retryable and pause is not None:
                    self._change(job_id, stage=Stage.WAITING)
                    if self._stopping.wait(pause):
                        raise Stopped from error
                    continue
                self._finish(job_id, State.FAILED, str(error))
            except Stopped:
                raise
            except Exception as error:  # noqa: BLE001  # the thread's entry point: one bad job must not end it
                self._finish(job_id, State.FAILED, f"An error that nobody foresaw: {type(error).__name__}.")
            return

    def _ingest(self, job_id: str) -> None:
        job = self._jobs[job_id]
        paths = [path for file in job.files if (path := path_of(file.uri)) is not None]
        ingest = self._ingesting(lambda done, total: self._tell(job_id, done, total))
        labels = Labels(job.collection, job.tags)
        for outcome in ingest.run(paths, labels=labels, options=self._options):
            with self._lock:
                looked_at = self._jobs[job_id].with_outcome(outcome, uri=file_uri(outcome.path))
                self._jobs[job_id] = replace(looked_at, stage=Stage.READING)
            if self._stopping.is_set():
                raise Stopped

    def _tell(self, job_id: str, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise Stopped
        stage = Stage.EMBEDDING if done < total else Stage.STORING
        self._change(job_id, stage=stage, embedded=done, embedding=total)

    def _finish(self, job_id: str, state: State, error: str = "") -> None:
        self._change(job_id, state=state, stage=Stage.DONE, error=error, finished_at=time.time())
        try:
            self._records.put(self._jobs[job_id])
        except NestorError as trouble:  # the disk is full, say: the job is done again after the next start
            self._change(job_id, error=error or str(trouble))

    def _change(self, job_id: str, **values: object) -> None:
        with self._lock:
            self._jobs[job_id] = replace(self._jobs[job_id], **values)  # type: ignore[arg-type]  # fields of Job
