"""Files in, nested embeddings in every index out: idempotent, resumable, nothing stale left.

How an asset is stored is in `storing`; a run that finds one not STORED, or stored from other content, does it again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from nestor import media
from nestor.domain import DIMENSIONS, Embedding, Manifest, Reading, Status, file_uri, object_id
from nestor.errors import NestorError, SegmentsRefused, UnreadableFile
from nestor.metadata import readable
from nestor.nesting import nest
from nestor.outcome import Failure, Labels, Outcome
from nestor.ports import Embedder, Manifests, Thumbnails, Vectors
from nestor.storing import Embedded, Storing

BATCH_SEGMENTS = 256
"""Segments embedded and stored together at most; a crash costs two batches of work."""

BATCH_CHARACTERS = 24_000
"""Text of a batch, about: a second of work for a small embedder, so that progress shows and is kept."""

BATCH_SECONDS = 1.0
"""A batch waits no longer than this for more segments."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One file read and not yet stored."""

    path: Path
    reading: Reading
    before: Manifest | None
    after: Manifest


@dataclass(frozen=True, slots=True)
class _Embeddings:
    """What the embedder made of a batch: a row a segment, zeros where it gave a reason instead."""

    rows: Embedding
    reasons: Mapping[int, str]
    """By position in the batch."""


class Ingest:
    """Reads files, embeds their segments and keeps them in every index."""

    def __init__(
        self,
        *,
        embedder: Embedder,
        vectors: Vectors,
        manifests: Manifests,
        thumbnails: Thumbnails,
        dimensions: Sequence[int] = DIMENSIONS,
        with_codes: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Work through these ports; `with_codes` as in Storing."""
        self._embedder = embedder
        self._vectors = vectors
        self._manifests = manifests
        self._storing = Storing(vectors=vectors, manifests=manifests, thumbnails=thumbnails, with_codes=with_codes)
        self._dimensions = tuple(dimensions)
        self._clock = clock

    def run(
        self,
        files: Iterable[Path],
        *,
        labels: Labels | None = None,
        options: media.ReadOptions | None = None,
        jobs: int = 1,
    ) -> Iterator[Outcome]:
        """Yield what became of each file, as soon as it is durable; the work happens while iterating.

        A file that cannot be read, or whose every segment the embedder refuses, becomes a failure and the rest go on;
        what an earlier run stored of it stays. One with some segments refused is stored without these, and its warnings
        say which and why. Raises EmbedderMismatch before anything is read; EmbeddingFailed, VectorsError and
        HomeUnusable when the work cannot go on, after what is stored by then: run again to complete it.
        """
        labels = labels or Labels()
        options = options or media.ReadOptions()
        self._vectors.prepare(self._dimensions, embedder=self._embedder.id)
        planned: dict[Path, tuple[Manifest | None, Manifest]] = {}
        ready: list[Outcome] = []

        def to_read() -> Iterator[Path]:
            for path in _once(files):
                before, after = self._plan(path, labels, options)
                if before is not None and _unchanged(before, after):
                    ready.append(Outcome(path, manifest=before, skipped=True))
                else:
                    planned[path] = (before, after)
                    yield path

        # One batch is stored in a thread while the next is read and embedded.
        with media.ReaderPool(jobs, options) as pool, ThreadPoolExecutor(1, "nestor-store") as thread:
            batch: list[_Read] = []
            begun = time.monotonic()
            storing: deque[Future[list[Outcome]]] = deque()
            try:
                for path, result in pool.read_all(to_read()):
                    before, after = planned.pop(path)
                    if isinstance(result, UnreadableFile):
                        ready.append(self._fail(path, before, after, result))
                    else:
                        batch.append(_Read(path, result, before, after))
                    if _is_full(batch, since=begun):
                        storing.append(thread.submit(self._store, batch, self._embed(batch)))
                        batch, begun = [], time.monotonic()
                    yield from _told(storing, ready, leave=1)
                if batch:
                    storing.append(thread.submit(self._store, batch, self._embed(batch)))
                yield from _told(storing, ready)
            except NestorError:
                # What is stored by now is told of before the run ends.
                yield from _told(deque(each for each in storing if each.exception() is None), ready)
                raise

    def _embed(self, batch: Sequence[_Read]) -> _Embeddings:
        try:
            rows = self._embedder.embed_segments([segment for read in batch for segment in read.reading.segments])
        except SegmentsRefused as error:
            return _Embeddings(error.embeddings, error.reasons)
        return _Embeddings(rows, {})

    def _plan(self, path: Path, labels: Labels, options: media.ReadOptions) -> tuple[Manifest | None, Manifest]:
        uri = file_uri(path)
        before = self._manifests.get(object_id(uri))
        try:
            content_hash, size = media.fingerprint(path, options), path.stat().st_size
        except (OSError, UnreadableFile):
            # The reader will meet the same trouble and has the words for it.
            content_hash, size = "", 0
        after = Manifest(
            uri=uri,
            status=Status.STORED,
            segments=0,
            content_hash=content_hash,
            embedder=self._embedder.id,
            dimensions=self._dimensions,
            file_name=readable(path.name),
            size_bytes=size,
            collection=labels.collection,
            tags=labels.tags,
            uploaded_at=before.uploaded_at if before else int(self._clock()),
        )
        return before, after

    def _fail(self, path: Path, before: Manifest | None, after: Manifest, error: UnreadableFile) -> Outcome:
        # What an earlier run stored stays searchable; only an asset that has nothing stored is marked FAILED.
        # A name that leads nowhere is no asset.
        if error.reason != "missing" and (before is None or before.status is Status.FAILED):
            # Told of by name: the path may be one that means something in today's folder alone.
            reason = f"{error.reason}: {error}".replace(str(path), after.file_name)
            failed = replace(after, status=Status.FAILED, content_hash="", reason=reason)
            self._manifests.put([failed])
        return Outcome(path, failure=Failure(path, error.reason, str(error)))

    def _store(self, batch: Sequence[_Read], embeddings: _Embeddings) -> list[Outcome]:
        outcomes: dict[Path, Outcome] = {}
        assets: dict[Path, Embedded] = {}
        start = 0
        for read in batch:
            end = start + len(read.reading.segments)
            reasons = {at - start: embeddings.reasons[at] for at in range(start, end) if at in embeddings.reasons}
            if len(reasons) == end - start:
                refused = UnreadableFile(f"{read.path}: {reasons[0]}", reason="refused")
                outcomes[read.path] = self._fail(read.path, read.before, read.after, refused)
            else:
                assets[read.path] = self._embedded(read, embeddings.rows[start:end], reasons)
            start = end
        for path, manifest in zip(assets, self._storing.store(list(assets.values())), strict=True):
            outcomes[path] = Outcome(path, manifest=manifest, segments=len(assets[path].segments))
        return [outcomes[read.path] for read in batch]

    def _embedded(self, read: _Read, rows: Embedding, reasons: Mapping[int, str]) -> Embedded:
        segments = read.reading.segments
        kept = [position for position in range(len(segments)) if position not in reasons]
        return Embedded(
            before=read.before,
            after=_described(read.after, read.reading, reasons),
            segments=[segments[position] for position in kept],
            embeddings=nest(rows if len(kept) == len(segments) else rows[kept], self._dimensions),
        )


def _once(files: Iterable[Path]) -> Iterator[Path]:
    seen = set()
    for path in files:
        if (uri := file_uri(path)) not in seen:
            seen.add(uri)
            yield path


def _is_full(batch: Sequence[_Read], *, since: float) -> bool:
    lengths = [len(segment.text) for read in batch for segment in read.reading.segments]
    full = len(lengths) >= BATCH_SEGMENTS or sum(lengths) >= BATCH_CHARACTERS
    return full or (bool(lengths) and time.monotonic() - since > BATCH_SECONDS)


def _told(storing: "deque[Future[list[Outcome]]]", ready: list[Outcome], *, leave: int = 0) -> Iterator[Outcome]:
    """Wait until at most `leave` batches are being stored, and yield what is ready. Raises what storing one raised."""
    while len(storing) > leave:
        ready += storing.popleft().result()
    while ready:
        yield ready.pop(0)


def _unchanged(before: Manifest, after: Manifest) -> bool:
    return before.status is Status.STORED and all(
        getattr(before, name) == getattr(after, name)
        for name in ("content_hash", "embedder", "dimensions", "file_name", "collection", "tags")
    )


def _described(manifest: Manifest, reading: Reading, reasons: Mapping[int, str]) -> Manifest:
    refused = tuple(
        f"Segment {reading.segments[position].index} was refused by the embedder and is not stored: {reason}"
        for position, reason in reasons.items()
    )
    return replace(
        manifest,
        segments=len(reading.segments),
        modality=reading.modality,
        content_type=reading.content_type,
        warnings=reading.warnings + refused,
    )
