"""Manifests in a bucket for a face that lists them again and again: what did not change is not read again."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from nestor.adapters.object_manifests import FOLDER, ObjectManifests, VersionedObjects, read_manifest
from nestor.domain import Manifest

READERS = 16
"""Manifests that are read at once."""


class ListedObjects(VersionedObjects, Protocol):
    """Objects that are listed with their ETags."""

    def entries(self, uri: str) -> Iterator[tuple[str, str]]:
        """Yield the keys below the prefix, in order, each with its ETag."""
        ...


class ListedManifests(ObjectManifests):
    """One listing for every `all`, and one request for each manifest that changed since the last. Threads may read."""

    def __init__(self, objects: ListedObjects, *, bucket: str, readers: int = READERS) -> None:
        """Read from the folder `manifests` of this bucket."""
        super().__init__(objects, bucket=bucket)
        self._listed = objects
        self._readers = readers
        self._kept: dict[str, tuple[str | None, Manifest]] = {}
        self._listing = threading.Lock()

    def all(self) -> Iterator[Manifest]:
        """Yield every manifest, ordered by URI; all are read first. Raises ObjectsError."""
        with self._listing:
            self._look()
            found = [manifest for _, manifest in self._kept.values()]
        yield from sorted(found, key=lambda manifest: manifest.uri)

    def _look(self) -> None:
        there = {key.removeprefix(FOLDER).removesuffix(".json"): etag for key, etag in self._listed.entries(self._root)}
        kept = {name: self._kept[name] for name in there.keys() & self._kept.keys()}
        changed = [name for name, etag in there.items() if name not in kept or kept[name][0] != etag]
        with ThreadPoolExecutor(self._readers, "nestor-manifest") as pool:
            read = pool.map(lambda name: read_manifest(self._listed, self._uri(name)), changed)
            for name, (manifest, etag) in zip(changed, read, strict=True):
                kept.pop(name, None)
                if manifest is not None:  # else it was deleted since it was listed
                    kept[name] = (etag, manifest)
        self._kept = kept
