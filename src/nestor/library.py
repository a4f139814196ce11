"""What is stored: look at it, and take things out again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nestor.domain import Manifest, Status, object_id, segment_key
from nestor.errors import InvalidInput
from nestor.ports import Manifests, Thumbnails, Vectors


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored."""

    assets: dict[str, int]
    """Assets that are stored, by modality."""
    segments: dict[str, int]
    """Their segments, by modality."""
    unfinished: int
    """Assets whose ingest or deletion was interrupted: ingest or delete again."""
    failed: tuple[Manifest, ...]
    vectors: dict[int, int]
    """Vectors in each index, counted there; empty for a size that has no index."""
    embedders: dict[int, str]


class Library:
    """The stored assets."""

    def __init__(self, *, vectors: Vectors, manifests: Manifests, thumbnails: Thumbnails) -> None:
        """Work through these ports."""
        self._vectors = vectors
        self._manifests = manifests
        self._thumbnails = thumbnails

    def assets(self) -> Iterator[Manifest]:
        """Yield the manifest of every asset, ordered by URI."""
        return self._manifests.all()

    def delete(self, uri: str) -> Manifest:
        """Remove the asset's vectors from every index, its thumbnails and its manifest; return that manifest.

        A crash in the middle leaves the manifest DELETING: delete again. Raises InvalidInput when there is no such
        asset.
        """
        manifest = self._manifests.get(object_id(uri))
        if manifest is None:
            raise InvalidInput(f"Nothing is stored for {uri}: `nestor assets` lists what is.")
        self._manifests.put([replace(manifest, status=Status.DELETING)])
        keys = [segment_key(manifest.object_id, index) for index in range(manifest.segments)]
        for dimension in manifest.dimensions if keys else ():
            self._vectors.delete(dimension, keys)
        self._thumbnails.delete(manifest.object_id)
        self._manifests.delete([manifest.object_id])
        return manifest

    def below(self, uri: str) -> list[Manifest]:
        """Return the manifests of all assets in the folder at `uri`, and of an asset of exactly that address."""
        folder = uri.rstrip("/") + "/"
        return [each for each in self._manifests.all() if each.uri == uri or each.uri.startswith(folder)]

    def counts(self, dimensions: tuple[int, ...]) -> Counts:
        """Count assets and segments by modality, and the vectors of each index by listing it."""
        assets: dict[str, int] = {}
        segments: dict[str, int] = {}
        unfinished, failed = 0, []
        for manifest in self._manifests.all():
            if manifest.status is Status.STORED:
                modality = str(manifest.modality)
                assets[modality] = assets.get(modality, 0) + 1
                segments[modality] = segments.get(modality, 0) + manifest.segments
            elif manifest.status is Status.FAILED:
                failed.append(manifest)
            else:
                unfinished += 1
        embedders = {d: name for d in dimensions if (name := self._vectors.embedder(d)) is not None}
        return Counts(
            assets=assets,
            segments=segments,
            unfinished=unfinished,
            failed=tuple(failed),
            vectors={dimension: sum(1 for _ in self._vectors.keys(dimension)) for dimension in embedders},
            embedders=embedders,
        )
