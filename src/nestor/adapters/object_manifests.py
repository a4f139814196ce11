"""Manifests as one object an asset, each written only over the version that was last seen."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import orjson

from nestor.documents import manifest_of
from nestor.domain import Manifest
from nestor.errors import ObjectMissing
from nestor.ports import Objects

FOLDER = "manifests/"


class VersionedObjects(Objects, Protocol):
    """Objects that tell their ETag and are replaced only while they have it."""

    def fetch(self, uri: str) -> tuple[bytes, str]:
        """Return the whole object and its ETag."""
        ...

    def replace(self, uri: str, content: bytes, *, etag: str | None, content_type: str) -> str:
        """Store the object where it is still the one of that ETag (absent where None); return the new ETag."""
        ...

    def delete(self, uri: str, *, etag: str | None = None) -> None:
        """Remove the object, only while it is the one of that ETag if that is given."""
        ...


class ObjectManifests:
    """For one piece of work: what `get` saw, or this object wrote last, is what `put` and `delete` may replace.

    When another wrote the manifest in between they raise ObjectsError, retryable, of the code PreconditionFailed. So
    of two pieces of work on one asset the one that marks it last knows of the other. Not for several threads.
    """

    def __init__(self, objects: VersionedObjects, *, bucket: str) -> None:
        """Keep them in this bucket, in the folder `manifests`."""
        self._objects = objects
        self._root = f"s3://{bucket}/{FOLDER}"
        self._seen: dict[str, str | None] = {}

    def get(self, object_id: str) -> Manifest | None:
        """Return the manifest of the asset, None when there is none."""
        manifest, self._seen[object_id] = read_manifest(self._objects, self._uri(object_id))
        return manifest

    def put(self, manifests: Sequence[Manifest]) -> None:
        """Store them one by one: objects cannot be written together, so give one where all or none matters."""
        for manifest in manifests:
            name = manifest.object_id
            self._seen[name] = self._objects.replace(
                self._uri(name), orjson.dumps(manifest), etag=self._expected(name), content_type="application/json"
            )

    def delete(self, object_ids: Sequence[str]) -> None:
        """Forget the assets."""
        for name in object_ids:
            self._objects.delete(self._uri(name), etag=self._expected(name))
            self._seen[name] = None

    def all(self) -> Iterator[Manifest]:
        """Yield every manifest, ordered by URI; all are read first."""
        found = (self.get(key.removeprefix(FOLDER).removesuffix(".json")) for key in self._objects.keys(self._root))
        yield from sorted((each for each in found if each is not None), key=lambda manifest: manifest.uri)

    def _expected(self, object_id: str) -> str | None:
        if object_id not in self._seen:
            self.get(object_id)
        return self._seen[object_id]

    def _uri(self, object_id: str) -> str:
        return f"{self._root}{object_id}.json"


def read_manifest(objects: VersionedObjects, uri: str) -> tuple[Manifest | None, str | None]:
    """Return the manifest at that address and its ETag, None and None when there is none. Raises ObjectsError."""
    try:
        document, etag = objects.fetch(uri)
    except ObjectMissing:
        return None, None
    return manifest_of(orjson.loads(document)), etag
