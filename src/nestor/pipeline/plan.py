"""Look at one object as it is now, and say what has to be done for it."""

import hashlib
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from nestor import media
from nestor.domain import DIMENSIONS, Manifest, Modality, Reading, Status, object_id
from nestor.errors import EmbedderMismatch, InvalidInput, ObjectMissing, ObjectsError, UnreadableFile
from nestor.media import plan as cutting
from nestor.metadata import readable
from nestor.outcome import Labels
from nestor.pipeline.apart import read_apart
from nestor.pipeline.work import Plan, Work, batches
from nestor.ports import Manifests, ObjectInfo, Objects, Vectors

NAME_BYTES = 200
"""Of a local copy's name; file systems allow 255."""
CONVERTED_SECONDS = 900.0
"""Sound and video that a job cannot read are cut and converted here, up to this length."""
INLINE_CHARACTERS = 8_000_000
"""Of a text that no job can read: more would not fit the segments that a single call embeds."""

JobInput = Callable[..., Mapping[str, Any] | None]
"""(modality, uri, content_type=, seconds=, characters=) to the input of a job; None when no job can read that."""


class Route(StrEnum):
    """Which way an object goes."""

    SYNC = "sync"
    ASYNC = "async"
    DONE = "done"
    FORGET = "forget"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a job of the model's own is started with."""

    input: Mapping[str, Any]
    output_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What has to be done for an object."""

    route: Route
    uri: str
    plan: Plan | None = None
    """Of the routes SYNC and ASYNC."""
    job: Job | None = None
    """Of the route ASYNC."""
    reason: str = ""
    """A short word why it FAILED."""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How objects are cut and what goes which way."""

    options: media.ReadOptions
    batch_segments: int = 8
    async_characters: int = 200_000
    collection_from_prefix: bool = False


class Planner:
    """Plans objects. Several may plan the same one: the last to mark its manifest goes on, the others try again."""

    def __init__(
        self,
        *,
        objects: Objects,
        manifests: Manifests,
        vectors: Vectors,
        work: Work,
        embedder: str,
        job_input: JobInput,
        settings: Cutting,
    ) -> None:
        """Work through these ports; `embedder` is the id of the one that will fill the indexes."""
        self._objects = objects
        self._manifests = manifests
        self._vectors = vectors
        self._work = work
        self._embedder = embedder
        self._job_input = job_input
        self._cutting = settings

    def look(self, uri: str, *, again: str = "") -> Planned:
        """Return what has to be done; where that is to embed it, its plan is kept and its manifest says STORING.

        `again` names a further attempt at what failed: then nothing that was done before counts. Raises
        EmbedderMismatch when the indexes belong to another embedder, ObjectsError (retryable where the object or its
        manifest changed meanwhile), VectorsError.
        """
        self._check_embedder()
        before = self._manifests.get(object_id(uri))
        try:
            info = self._objects.info(uri)
        except ObjectMissing:
            return Planned(route=Route.FORGET, uri=uri)
        if uri.endswith("/") and not info.size:
            return Planned(route=Route.DONE, uri=uri)  # what consoles make where somebody wants a folder
        try:
            return self._read(uri, info, before, again)
        except UnreadableFile as error:
            return self._failed(uri, info, before, error)

    def _read(self, uri: str, info: ObjectInfo, before: Manifest | None, again: str) -> Planned:
        options = self._cutting.options
        if info.size > options.max_bytes:
            raise UnreadableFile(
                f"Cannot read {uri}: it has {info.size:,} bytes, more than {options.max_bytes:,}. Split it.",
                reason="oversized",
            )
        with tempfile.TemporaryDirectory(prefix="nestor-") as folder:
            path = Path(folder, _local_name(uri))
            self._download(uri, path, info)
            after = self._manifest(uri, info, before, content_hash=media.fingerprint(path, options))
            if not again and before is not None and _unchanged(before, after):
                return Planned(route=Route.DONE, uri=uri)
            try:
                reading = read_apart(path, options)
                return self._planned(path, reading, info, before, after, again)
            except UnreadableFile as error:
                raise UnreadableFile(str(error).replace(str(path), uri), reason=error.reason) from error

    def _download(self, uri: str, path: Path, info: ObjectInfo) -> None:
        try:
            self._objects.download(uri, path, etag=info.etag)
        except ObjectMissing as error:
            raise ObjectsError(f"{uri} changed while it was read.", code="Changed", retryable=True) from error

    def _manifest(self, uri: str, info: ObjectInfo, before: Manifest | None, *, content_hash: str) -> Manifest:
        key = uri.removeprefix("s3://").partition("/")[2]
        folder, slash, _ = key.partition("/")
        collection = folder if slash and self._cutting.collection_from_prefix else ""
        try:
            labels = Labels(collection)
        except InvalidInput as error:
            raise UnreadableFile(f"Cannot file {uri}: {error}", reason="mislabelled") from error
        return Manifest(
            uri=uri,
            status=Status.STORED,
            segments=0,
            content_hash=content_hash,
            embedder=self._embedder,
            dimensions=DIMENSIONS,
            file_name=readable(_name(uri)),
            size_bytes=info.size,
            collection=labels.collection,
            uploaded_at=before.uploaded_at if before else int(info.modified_at),
        )

    def _planned(
        self,
        path: Path,
        reading: Reading,
        info: ObjectInfo,
        before: Manifest | None,
        after: Manifest,
        again: str,
    ) -> Planned:
        seconds = _whole_seconds(reading, self._cutting.options)
        job = self._job(path, reading, after.uri, seconds)
        if job is None:
            reading = self._convertible(path, reading)
        plan = Plan(
            run=_run(after, info, again),
            etag=info.etag,
            manifest=replace(
                after,
                segments=len(reading.segments),
                modality=reading.modality,
                content_type=reading.content_type,
                warnings=tuple(warning.replace(str(path), after.uri) for warning in reading.warnings),
            ),
            batches=batches(len(reading.segments), size=self._batch_size(reading)),
            job=job is not None,
            seconds=seconds,
        )
        self._work.keep(plan, reading.segments)
        earlier = before.segments if before else 0
        self._manifests.put([replace(plan.manifest, status=Status.STORING, segments=earlier)])
        if job is None:
            return Planned(route=Route.SYNC, uri=after.uri, plan=plan)
        started_with = Job(input=job, output_uri=self._work.job_folder(plan))
        return Planned(route=Route.ASYNC, uri=after.uri, plan=plan, job=started_with)

    def _job(self, path: Path, reading: Reading, uri: str, seconds: int) -> Mapping[str, Any] | None:
        """Return the input of a job for long texts, sounds and videos; None where there is none or none is needed."""
        if reading.modality is Modality.TEXT:
            length = _characters(path, reading, at_least=self._cutting.async_characters)
            if length is None:
                return None
            asked = self._cutting.options.segment_characters
            characters = cutting.segment_characters(length, asked=asked)
            return self._job_input(Modality.TEXT, uri, content_type=reading.content_type, characters=characters)
        if reading.modality in {Modality.AUDIO, Modality.VIDEO}:
            return self._job_input(reading.modality, uri, content_type=reading.content_type, seconds=seconds)
        return None

    def _convertible(self, path: Path, reading: Reading) -> Reading:
        """Return the reading, with clips where these have to be embedded one by one. Raises UnreadableFile."""
        if reading.modality is Modality.TEXT and (_end(reading) or 0) > INLINE_CHARACTERS:
            raise UnreadableFile(
                f"Cannot read {path}: a text this long must be plain UTF-8. Save it so.", reason="oversized"
            )
        if reading.modality not in {Modality.AUDIO, Modality.VIDEO}:
            return reading
        if (reading.duration_seconds or 0) > CONVERTED_SECONDS:
            raise UnreadableFile(
                f"Cannot read {path}: {reading.content_type} of more than {CONVERTED_SECONDS:g} s is not converted. "
                "Save it as MP4, WebM, MP3, WAV or Ogg.",
                reason="oversized",
            )
        return read_apart(path, replace(self._cutting.options, clips=True))

    def _batch_size(self, reading: Reading) -> int:
        heavy = any(segment.image or segment.clip for segment in reading.segments)
        return max(1, self._cutting.batch_segments // 2) if heavy else self._cutting.batch_segments

    def _failed(self, uri: str, info: ObjectInfo, before: Manifest | None, error: UnreadableFile) -> Planned:
        # What was stored of an earlier version stays searchable, as it does on one machine.
        if before is None or before.status is Status.FAILED:
            failed = self._manifest(uri, info, before, content_hash="") if error.reason != "mislabelled" else None
            reason = f"{error.reason}: {error}"
            bare = failed or Manifest(uri=uri, status=Status.FAILED, segments=0)
            self._manifests.put([replace(bare, status=Status.FAILED, reason=reason)])
        return Planned(route=Route.FAILED, uri=uri, reason=error.reason, message=str(error))

    def _check_embedder(self) -> None:
        for dimension in DIMENSIONS:
            filled_by = self._vectors.embedder(dimension)
            if filled_by is None:
                raise InvalidInput(f"There is no index of {dimension} components: deploy the stack of the indexes.")
            if filled_by != self._embedder:
                raise EmbedderMismatch(
                    f"The index of {dimension} components belongs to {filled_by or 'an embedder that nobody noted'}, "
                    f"and this is {self._embedder}: their embeddings cannot be compared. Use another vector bucket."
                )


def _name(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2]


def _local_name(uri: str) -> str:
    """Return a name that any file system takes; what tells the kind of file, its end, stays."""
    name = _name(uri).replace("\0", "_")
    if name in {"", ".", ".."}:
        return "object"
    return name.encode()[-NAME_BYTES:].decode("utf-8", "ignore")


def _unchanged(before: Manifest, after: Manifest) -> bool:
    return before.status is Status.STORED and all(
        getattr(before, name) == getattr(after, name)
        for name in ("content_hash", "embedder", "dimensions", "file_name", "collection", "tags")
    )


def _run(after: Manifest, info: ObjectInfo, again: str) -> str:
    """Return a name of this attempt at this version: whoever plans the same does the same work, once."""
    parts = (after.content_hash, after.embedder, info.etag, str(info.modified_at), after.collection, again)
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _whole_seconds(reading: Reading, options: media.ReadOptions) -> int:
    if reading.duration_seconds is None:
        return 0
    return math.ceil(cutting.segment_seconds(reading.duration_seconds, asked=options.segment_seconds))


def _end(reading: Reading) -> int | None:
    return reading.segments[-1].span.end_char


def _characters(path: Path, reading: Reading, *, at_least: int) -> int | None:
    """Return how many characters a job would count; None when they are too few, or not plain UTF-8.

    The positions that a job tells of count in the object itself: where that is decoded or marked up, they would not
    fit what was read.
    """
    if reading.content_type == "text/html" or (_end(reading) or 0) < at_least:
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            if file.read(1) == "\ufeff":
                return None
            return 1 + sum(map(len, iter(lambda: file.read(1 << 20), "")))
    except UnicodeDecodeError:
        return None
