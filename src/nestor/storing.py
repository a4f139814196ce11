"""Embedded assets into every index, in an order of writes that makes a crash at any point harmless.

1. the manifests say STORING, with the number of keys that may exist from now on;
2. the rows are put into every index (same keys, so that a second run replaces them);
3. keys and thumbnails of an earlier run that have no row any more are removed;
4. the manifests say STORED.

Who finds an asset not STORED, or stored from other content, does all four again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nestor import codes
from nestor.domain import FULL_DIMENSION, Embedding, Manifest, Segment, Status, segment_key
from nestor.metadata import coded, metadata_of
from nestor.ports import Manifests, Thumbnails, VectorRow, Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """One asset, ready to be stored."""

    before: Manifest | None
    """What is stored of it now."""
    after: Manifest
    """As it will be: STORED, `segments` being the highest number of keys, those of refused segments included."""
    segments: Sequence[Segment]
    """Those that have an embedding; the indexes of refused ones are left out."""
    embeddings: Mapping[int, Embedding]
    """By size d the rows of these segments, shape (n, d)."""


class Storing:
    """Keeps embedded assets in every index and says so in their manifests."""

    def __init__(
        self,
        *,
        vectors: Vectors,
        manifests: Manifests,
        thumbnails: Thumbnails | None = None,
        with_codes: bool = True,
    ) -> None:
        """Write through these ports; without thumbnails no picture is kept.

        With codes, the rows of the small indexes carry the code of the full embedding, for hierarchical searches.
        """
        self._vectors = vectors
        self._manifests = manifests
        self._thumbnails = thumbnails
        self._with_codes = with_codes

    def store(self, batch: Sequence[Embedded], *, confirm: Callable[[], None] | None = None) -> list[Manifest]:
        """Do the four steps for all of them together and return their manifests; all is durable on return.

        `confirm` is called when the rows are in; what it raises leaves the manifests STORING and is passed on.
        Whatever the ports raise is passed on, too: storing again completes it.
        """
        self._manifests.put([_storing(asset) for asset in batch])
        for dimension in dict.fromkeys(size for asset in batch for size in asset.embeddings):
            self._vectors.put(dimension, [row for asset in batch for row in self._rows(asset, dimension)])
        self._put_thumbnails(batch)
        if confirm is not None:
            confirm()
        self._remove_stale(batch)
        self._manifests.put([asset.after for asset in batch])
        return [asset.after for asset in batch]

    def _rows(self, asset: Embedded, dimension: int) -> list[VectorRow]:
        rows = [
            VectorRow(segment_key(asset.after.object_id, segment.index), embedding, metadata_of(asset.after, segment))
            for segment, embedding in zip(asset.segments, asset.embeddings[dimension], strict=True)
        ]
        full = asset.embeddings.get(FULL_DIMENSION)
        if not self._with_codes or full is None or dimension not in codes.SIZES:
            return rows
        return with_codes(rows, full)

    def _put_thumbnails(self, batch: Sequence[Embedded]) -> None:
        if self._thumbnails is None:
            return
        for asset in batch:
            for segment in asset.segments:
                if segment.image is not None:
                    self._thumbnails.put(asset.after.object_id, segment.index, segment.image)

    def _remove_stale(self, batch: Sequence[Embedded]) -> None:
        for dimension in dict.fromkeys(size for asset in batch for size in asset.after.dimensions):
            if keys := [key for asset in batch for key in _stale_keys(asset)]:
                self._vectors.delete(dimension, keys)
        for asset in batch:
            if self._thumbnails is not None and asset.before and asset.before.segments > asset.after.segments:
                self._thumbnails.delete(asset.after.object_id, from_index=asset.after.segments)


def with_codes(rows: Sequence[VectorRow], full: Embedding) -> list[VectorRow]:
    """Return the rows with the codes of their full embeddings, shape (n, 3072), in their metadata."""
    return [
        replace(row, metadata=coded(row.metadata, code, key=row.key))
        for row, code in zip(rows, codes.encode(full) if len(full) else (), strict=True)
    ]


def _storing(asset: Embedded) -> Manifest:
    earlier = asset.before.segments if asset.before else 0
    return replace(asset.after, status=Status.STORING, segments=max(earlier, asset.after.segments))


def _stale_keys(asset: Embedded) -> list[str]:
    """Return the keys that an earlier run may have stored and this one has no row for."""
    kept = {segment.index for segment in asset.segments}
    earlier = asset.before.segments if asset.before else 0
    return [segment_key(asset.after.object_id, index) for index in range(earlier) if index not in kept]
