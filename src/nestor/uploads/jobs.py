"""One ingest in the background, as a value, and its record on the disk."""

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from nestor.domain import object_id
from nestor.errors import HomeUnusable
from nestor.outcome import Outcome


class State(StrEnum):
    """How far a job has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """Every file was looked at; each tells what became of it."""
    FAILED = "failed"
    """It could not go on: see `error`."""


class Stage(StrEnum):
    """What is done at the moment."""

    WAITING = "waiting"
    READING = "reading"
    EMBEDDING = "embedding"
    STORING = "storing"
    DONE = "done"


class FileStatus(StrEnum):
    """What became of one file."""

    WAITING = "waiting"
    STORED = "stored"
    UNCHANGED = "unchanged"
    FAILED = "failed"


_BEFORE = {Stage.READING: 0.0, Stage.EMBEDDING: 0.1, Stage.STORING: 0.9}
"""Share of a file's work that lies behind it when the stage begins; a guess, for bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """One file of a job."""

    uri: str
    name: str
    status: FileStatus = FileStatus.WAITING
    segments: int = 0
    reason: str = ""
    message: str = ""

    @property
    def object_id(self) -> str:
        """The asset's stable id."""
        return object_id(self.uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Files that are ingested together."""

    id: str
    files: tuple[JobFile, ...]
    submitted_at: float
    """Epoch seconds, as `finished_at`."""
    collection: str = ""
    tags: tuple[str, ...] = ()
    state: State = State.WAITING
    stage: Stage = Stage.WAITING
    embedded: int = 0
    """Segments of those that are being embedded now, and how many these are."""
    embedding: int = 0
    error: str = ""
    finished_at: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {State.DONE, State.FAILED}

    @property
    def percent(self) -> float:
        """How much of it is done, 0 to 100: by files, and within one by its stage."""
        if self.state is State.DONE or not self.files:
            return 100.0
        looked_at = sum(file.status is not FileStatus.WAITING for file in self.files)
        part = _BEFORE.get(self.stage, 0.0) if looked_at < len(self.files) else 0.0
        if self.stage is Stage.EMBEDDING and self.embedding:
            part += (_BEFORE[Stage.STORING] - part) * self.embedded / self.embedding
        return round(100.0 * (looked_at + part) / len(self.files), 1)

    def with_outcome(self, outcome: Outcome, *, uri: str) -> "Job":
        """Return the job with what became of one of its files."""
        files = tuple(_told(file, outcome) if file.uri == uri else file for file in self.files)
        return replace(self, files=files)

    def begun_again(self) -> "Job":
        """Return the job as it was submitted."""
        files = tuple(JobFile(uri=file.uri, name=file.name) for file in self.files)
        return replace(self, files=files, state=State.WAITING, stage=Stage.WAITING, embedded=0, embedding=0, error="")


def _told(file: JobFile, outcome: Outcome) -> JobFile:
    if outcome.failure is not None:
        # The address of a file on this machine is nobody's business.
        message = outcome.failure.message.replace(str(outcome.path), file.name)
        return replace(file, status=FileStatus.FAILED, reason=outcome.failure.reason, message=message)
    if outcome.skipped:
        segments = outcome.manifest.segments if outcome.manifest else 0
        return replace(file, status=FileStatus.UNCHANGED, segments=segments)
    return replace(file, status=FileStatus.STORED, segments=outcome.segments)


class Records:
    """Jobs as JSON files in a folder; each is durable when `put` returns. Every method may raise HomeUnusable."""

    def __init__(self, folder: Path) -> None:
        """Keep them there; the folder is made when the first one comes."""
        self._folder = folder

    def put(self, job: Job) -> None:
        """Keep the job, replacing what was kept of it."""
        path = self._path(job.id)
        partial = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(orjson.dumps(dataclasses.asdict(job)))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            sync_folder(self._folder)
        except OSError as error:
            raise HomeUnusable(f"Cannot write {path}: {error.strerror}. Is there space, and permission?") from error

    def drop(self, job_id: str) -> None:
        """Forget the job."""
        self._path(job_id).unlink(missing_ok=True)

    def all(self) -> Iterator[Job]:
        """Yield every job, those submitted first before others; a record that cannot be read is left out."""
        read = (_read(path) for path in self._folder.glob("*.json"))
        yield from sorted((job for job in read if job is not None), key=lambda job: (job.submitted_at, job.id))

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


def _read(path: Path) -> Job | None:
    try:
        return _job(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError):  # of another version, or damaged: its files are still there
        return None


def _job(document: dict[str, Any]) -> Job:
    files = tuple(JobFile(**(file | {"status": FileStatus(file["status"])})) for file in document["files"])
    read = {"files": files, "tags": tuple(document["tags"])}
    return Job(**(document | read | {"state": State(document["state"]), "stage": Stage(document["stage"])}))


def sync_folder(folder: Path) -> None:
    """Make the names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
