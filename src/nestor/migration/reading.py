"""All objects of one asset, read, checked and put together; what is wrong is set aside and told."""

import hashlib
import itertools
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding, Manifest, Segment, segment_key
from nestor.errors import InvalidInput
from nestor.migration.journal import Asset, Listed, Note, Source
from nestor.migration.naming import Described, describe
from nestor.migration.placeholder import MOST_SEGMENTS, Damaged, Parsed, parse
from nestor.migration.source import Placeholder
from nestor.nesting import nest

MIGRATED = "placeholder:"
"""Begins the content hash of an asset that a migration stored and nothing has replaced since."""

_NESTED = 0.999
"""Cosine between a stored size and the prefix of the full embedding, below which the user is told."""

_COPIED_BYTES = 16 << 20
"""Larger objects are told of, and not copied."""

_AHEAD = 64
"""Objects that are read before they are needed, where there are threads to read them."""


_Fetched: TypeAlias = tuple[Listed, bytes | Damaged]
"""An object, and what is in it or why it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the objects of one asset give."""

    asset: Asset
    manifest: Manifest | None
    """STORED; None when no segment can be moved."""
    segments: Sequence[Segment] = ()
    embeddings: Mapping[int, Embedding] = field(default_factory=dict)
    derived: int = 0
    """Rows that were made from the full embedding, their size being missing or damaged."""
    sources: Sequence[Source] = ()
    notes: Sequence[Note] = ()


class AssetReader:
    """Reads assets. Threads may share it."""

    def __init__(
        self,
        placeholder: Placeholder,
        *,
        quarantine: Placeholder | None,
        dimensions: Sequence[int] = DIMENSIONS,
        ahead: Executor | None = None,
    ) -> None:
        """Give these sizes, the largest among them.

        Copy what is damaged into the quarantine, if there is one; read ahead in those threads, if there are any.
        """
        self._placeholder = placeholder
        self._quarantine = quarantine
        self._dimensions = tuple(dimensions)
        self._ahead = ahead

    def read(self, assets: Sequence[Asset], *, embedder: str) -> Iterator[Found]:
        """Yield the assets; objects of another embedder count as damaged, those that name none do not.

        Raises ObjectsError when the store fails; what is wrong with single objects is noted.
        """
        fetched = self._fetched(each for asset in assets for each in asset.objects)
        for asset in assets:
            yield self._put_together(asset, itertools.islice(fetched, len(asset.objects)), embedder=embedder)

    def _fetched(self, objects: Iterable[Listed]) -> Iterator[_Fetched]:
        if self._ahead is None:
            yield from map(self._fetch, objects)
            return
        waiting: deque[Future[_Fetched]] = deque()
        for each in objects:
            waiting.append(self._ahead.submit(self._fetch, each))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _fetch(self, listed: Listed) -> _Fetched:
        try:
            self._check_size(listed)
            return listed, self._placeholder.read(listed.path)
        except Damaged as error:
            return listed, error

    def _put_together(self, asset: Asset, fetched: Iterable[_Fetched], *, embedder: str) -> Found:
        notes = _Notes(asset.uri)
        digest = hashlib.blake2b(digest_size=16)
        kept: dict[int, tuple[Described, Listed, dict[int, Embedding]]] = {}
        derived = 0
        for some in _by_segment(fetched):
            objects = [listed for listed, _ in some]
            parsed = dict(self._parsed(some, notes, digest))
            try:
                described = _described(objects[0], parsed, embedder=embedder)
                _check_free(described, kept)
            except Damaged as error:
                for each in objects:
                    if each.place.dimension in parsed:
                        notes.quarantined(each, error)
                continue
            notes.trimmed(objects[-1], described.trimmed)
            made = nest(parsed[FULL_DIMENSION].embedding, self._dimensions)
            found = {size: parsed[size].embedding if size in parsed else made[size] for size in self._dimensions}
            derived += sum(size not in parsed for size in self._dimensions)
            kept_sizes = parsed.keys() & found.keys()
            notes.differing(
                each for each in objects if each.place.dimension in kept_sizes and _differs(each, found, made)
            )
            kept[described.segment.index] = (described, objects[-1], found)
        return self._found(asset, kept, derived=derived, notes=notes, digest=digest.hexdigest())

    def _parsed(
        self, fetched: Sequence[_Fetched], notes: "_Notes", digest: "hashlib.blake2b"
    ) -> Iterator[tuple[int, Parsed]]:
        for each, content in fetched:
            if isinstance(content, Damaged):
                notes.quarantined(each, content)
                continue
            try:
                parsed = parse(content, dimension=each.place.dimension)
            except Damaged as error:
                notes.quarantined(each, error)
                self._set_aside(each.path, content)
            else:
                digest.update(f"{each.place.asset}/{each.place.segment}/{each.place.dimension}/".encode())
                digest.update(hashlib.blake2b(content).digest())
                yield each.place.dimension, parsed

    def _check_size(self, listed: Listed) -> None:
        # Objects of a size that was dropped are read all the same: an asset's hash is not to depend on that.
        if listed.place.dimension not in DIMENSIONS:
            raise Damaged(f"There is no index of {listed.place.dimension} components.", reason="size")

    def _set_aside(self, path: str, content: bytes) -> None:
        if self._quarantine is None or not 0 < len(content) <= _COPIED_BYTES:
            return
        try:
            self._quarantine.write(path, content)
        except InvalidInput:  # a path that no file may have; the note tells of it
            return

    def _found(
        self,
        asset: Asset,
        kept: Mapping[int, tuple[Described, Listed, Mapping[int, Embedding]]],
        *,
        derived: int,
        notes: "_Notes",
        digest: str,
    ) -> Found:
        if not kept:
            return Found(asset=asset, manifest=None, notes=notes.all())
        order = sorted(kept)
        manifest = kept[order[0]][0].manifest
        # The hash that an ingest gave it says what it was made from only while all of it is there.
        told = "" if notes.any_quarantined else manifest.content_hash
        manifest = replace(
            manifest,
            uri=asset.uri,
            segments=order[-1] + 1,
            dimensions=self._dimensions,
            content_hash=told or MIGRATED + digest,
        )
        return Found(
            asset=asset,
            manifest=manifest,
            segments=[kept[index][0].segment for index in order],
            embeddings={size: np.stack([kept[index][2][size] for index in order]) for size in self._dimensions},
            derived=derived,
            sources=[
                Source(segment_key(manifest.object_id, index), kept[index][1].place.asset, kept[index][1].place.segment)
                for index in order
            ],
            notes=notes.all(),
        )


class _Notes:
    """The notes on one asset; what is trimmed is told once a name."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._single: list[Note] = []
        self._trimmed: dict[str, Note] = {}

    @property
    def any_quarantined(self) -> bool:
        return any(note.kind == "quarantined" for note in self._single)

    def all(self) -> list[Note]:
        return [*self._single, *self._trimmed.values()]

    def quarantined(self, listed: Listed, error: Damaged) -> None:
        self._single.append(Note(self._uri, "quarantined", error.reason, listed.path, str(error)))

    def trimmed(self, listed: Listed, trimmed: Mapping[str, str]) -> None:
        for name, why in trimmed.items():
            first = self._trimmed.get(name, Note(self._uri, "trimmed", name, listed.path, why, 0))
            self._trimmed[name] = replace(first, objects=first.objects + 1)

    def differing(self, objects: Iterator[Listed]) -> None:
        for each in objects:
            message = f"It is not the prefix of the {FULL_DIMENSION:,} components of its segment; it was kept as it is."
            self._single.append(Note(self._uri, "differs", "prefix", each.path, message))


def _described(first: Listed, parsed: Mapping[int, Parsed], *, embedder: str) -> Described:
    if FULL_DIMENSION not in parsed:
        raise Damaged(f"Its segment has no sound embedding of {FULL_DIMENSION:,} components.", reason="incomplete")
    described = describe(parsed[FULL_DIMENSION].metadata, first.place)
    if described.segment.index >= MOST_SEGMENTS:
        raise Damaged(
            f"It is segment {described.segment.index:,} of its asset: the last possible is {MOST_SEGMENTS - 1:,}.",
            reason="segment",
        )
    made_by = described.manifest.embedder or embedder
    if made_by != embedder:
        raise Damaged(f"It was made by the embedder {made_by!r}, and this is {embedder!r}.", reason="embedder")
    return replace(described, manifest=replace(described.manifest, embedder=embedder))


def _check_free(described: Described, taken: Container[int]) -> None:
    if described.segment.index in taken:
        raise Damaged(f"There is another segment {described.segment.index} of the asset.", reason="duplicate")


def _by_segment(fetched: Iterable[_Fetched]) -> Iterator[list[_Fetched]]:
    """Yield the objects of each segment, small sizes first."""
    for _, some in itertools.groupby(fetched, key=lambda each: (each[0].place.asset, each[0].place.segment)):
        yield list(some)


def _differs(listed: Listed, found: Mapping[int, Embedding], made: Mapping[int, Embedding]) -> bool:
    size = listed.place.dimension
    return float(found[size] @ made[size]) < _NESTED
