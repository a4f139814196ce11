"""The placeholder's objects into the four indexes: resumable, idempotent, never stopped by a single bad object.

1. list the objects; 2. read one of each asset for its address; 3. of several uploads of one address take the latest;
4. read, check and store the assets in batches, as `storing` does, and note in the journal what became of each.
A run that is killed anywhere leaves assets that the next one finds unfinished and does again, with the same keys.
The placeholder is only read.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nestor.domain import DIMENSIONS, Manifest, Status, object_id
from nestor.migration.journal import Asset, Journal
from nestor.migration.pace import Pace
from nestor.migration.reading import MIGRATED, AssetReader, Found
from nestor.migration.source import Placeholder
from nestor.migration.survey import Survey, Surveyor
from nestor.ports import Manifests, Vectors
from nestor.storing import Embedded, Storing

BATCH_SEGMENTS: Final = 256
"""Segments read and stored together, about; an asset of more is one batch."""


class Outcome(StrEnum):
    """What became of an asset."""

    STORED = "stored"
    """In a dry run: would be stored."""
    UNCHANGED = "unchanged"
    """It is stored as the placeholder has it."""
    KEPT = "kept"
    """Something else is stored at its address, by an ingest since, or is being deleted; that stays."""
    EMPTY = "empty"
    """None of its segments is sound."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of an asset, and how many of its segments can be searched now."""

    uri: str
    outcome: Outcome
    segments: int = 0


class Mover:
    """Reads assets, judges them by what is stored already, and stores them. Threads may share it as its parts allow."""

    def __init__(self, reader: AssetReader, *, vectors: Vectors, manifests: Manifests, pace: Pace) -> None:
        """Work through these ports, not faster than the pace."""
        self._reader = reader
        self._manifests = manifests
        self._storing = Storing(vectors=vectors, manifests=manifests)
        self._pace = pace

    def move(self, batch: Sequence[Asset], *, embedder: str, dry_run: bool = False) -> list[tuple[Found, Moved]]:
        """Return what became of each asset; what is stored is durable on return. A dry run stores nothing.

        Raises VectorsError and ObjectsError: moving the same batch again completes it.
        """
        read = self._reader.read(batch, embedder=embedder)
        found = [(each, self._manifests.get(object_id(each.asset.uri))) for each in read]
        moved = [(each, Moved(each.asset.uri, _judge(each, before), len(each.segments))) for each, before in found]
        if not dry_run:
            self._store([found[at] for at, (_, each) in enumerate(moved) if each.outcome is Outcome.STORED])
        return moved

    def _store(self, found: Sequence[tuple[Found, Manifest | None]]) -> None:
        if not found:
            return
        self._pace.take(sum(len(each.segments) for each, _ in found))
        self._storing.store(
            [
                Embedded(before=before, after=each.manifest, segments=each.segments, embeddings=each.embeddings)
                for each, before in found
                if each.manifest is not None
            ]
        )


class Migration:
    """One placeholder into one bucket."""

    def __init__(
        self,
        placeholder: Placeholder,
        *,
        mover: Mover,
        vectors: Vectors,
        manifests: Manifests,
        journal: Journal,
        dimensions: Sequence[int] = DIMENSIONS,
        jobs: int = 4,
    ) -> None:
        """Work through these ports, into the indexes of these sizes, in so many threads."""
        self._survey = Surveyor(placeholder, journal=journal, jobs=jobs)
        self._mover = mover
        self._vectors = vectors
        self._manifests = manifests
        self._journal = journal
        self._dimensions = dimensions
        self._jobs = jobs

    def survey(self) -> Survey:
        """Look at what there is. Raises ObjectsError, HomeUnusable; it can be done again."""
        return self._survey.survey()

    def run(self, *, embedder: str, recheck: bool = False, dry_run: bool = False) -> Iterator[Moved]:
        """Yield what became of each asset, as soon as it is durable; the work happens while iterating.

        Assets that an earlier run stored are not read again unless `recheck`. A dry run reads everything and writes
        nothing but the journal. Raises EmbedderMismatch before anything is written, VectorsError and ObjectsError when
        the work cannot go on: run again to complete it.
        """
        if not dry_run:
            self._vectors.prepare(self._dimensions, embedder=embedder)
        with ThreadPoolExecutor(self._jobs, "nestor-migrate") as pool:
            working: deque[Future[list[tuple[Found, Moved]]]] = deque()
            for batch in self._batches(recheck=recheck):
                if isinstance(batch, Moved):
                    yield batch
                    continue
                working.append(pool.submit(self._mover.move, batch, embedder=embedder, dry_run=dry_run))
                if len(working) > self._jobs:
                    yield from self._recorded(working.popleft().result())
            while working:
                yield from self._recorded(working.popleft().result())

    def _batches(self, *, recheck: bool) -> Iterator[Moved | list[Asset]]:
        batch: list[Asset] = []
        size = 0
        for asset in self._journal.assets():
            if not recheck and (done := self._done(asset)):
                yield done
                continue
            batch.append(asset)
            size += segments_of(asset)
            if size >= BATCH_SEGMENTS:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _done(self, asset: Asset) -> Moved | None:
        if not asset.content_hash:
            return None
        now = self._manifests.get(object_id(asset.uri))
        if now is None or now.status is not Status.STORED or now.content_hash != asset.content_hash:
            return None
        return Moved(asset.uri, Outcome.UNCHANGED, now.segments)

    def _recorded(self, moved: Sequence[tuple[Found, Moved]]) -> Iterator[Moved]:
        for found, each in moved:
            there = found.manifest is not None and each.outcome in {Outcome.STORED, Outcome.UNCHANGED}
            self._journal.record(
                found.asset,
                content_hash=found.manifest.content_hash if found.manifest and there else "",
                derived=found.derived if there else 0,
                sources=found.sources if there else (),
                notes=found.notes,
            )
            yield each


def segments_of(asset: Asset) -> int:
    """Return how many segments its objects are of."""
    return len({(each.place.asset, each.place.segment) for each in asset.objects})


def grouped(assets: Iterable[Asset], *, segments: int = BATCH_SEGMENTS) -> Iterator[list[Asset]]:
    """Yield the assets in batches of about so many segments; no asset is divided."""
    batch: list[Asset] = []
    size = 0
    for asset in assets:
        batch.append(asset)
        size += segments_of(asset)
        if size >= segments:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _judge(found: Found, before: Manifest | None) -> Outcome:
    if found.manifest is None:
        return Outcome.EMPTY
    if before is None or before.status is Status.FAILED:
        return Outcome.STORED
    same = before.content_hash == found.manifest.content_hash
    if same and before.status is Status.STORED:
        return Outcome.UNCHANGED
    if before.status is not Status.DELETING and (same or before.content_hash.startswith(MIGRATED)):
        return Outcome.STORED
    return Outcome.KEPT
