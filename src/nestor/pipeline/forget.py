"""What is stored of an object that is gone, removed; an object that is there is left alone."""

from dataclasses import replace
from enum import StrEnum

from nestor.domain import Status, object_id, segment_key
from nestor.errors import ObjectMissing, ObjectsError
from nestor.ports import Manifests, Objects, Vectors


class Forgotten(StrEnum):
    """What was found."""

    FORGOTTEN = "forgotten"
    ABSENT = "absent"
    """Nothing was stored."""
    PRESENT = "present"
    """The object is there: whoever told that it was deleted was late."""


class Forgetter:
    """Removes vectors, then the manifest. Doing it twice changes nothing."""

    def __init__(self, *, objects: Objects, manifests: Manifests, vectors: Vectors) -> None:
        """Work through these ports; `manifests` must refuse to replace what another wrote meanwhile."""
        self._objects = objects
        self._manifests = manifests
        self._vectors = vectors

    def forget(self, uri: str) -> Forgotten:
        """Remove what is stored of the object, if it is gone.

        Raises ObjectsError, retryable, when it came back while its vectors were removed, and until it is stored anew:
        the manifest then says DELETING, so that planning it does not take it for stored. Raises VectorsError.
        """
        manifest = self._manifests.get(object_id(uri))
        if self._is_there(uri):
            if manifest is not None and manifest.status is Status.DELETING:
                raise _came_back(uri)
            return Forgotten.PRESENT
        if manifest is None:
            return Forgotten.ABSENT
        deleting = replace(manifest, status=Status.DELETING)
        self._manifests.put([deleting])
        keys = [segment_key(manifest.object_id, index) for index in range(manifest.segments)]
        for dimension in manifest.dimensions if keys else ():
            self._vectors.delete(dimension, keys)
        if self._is_there(uri):
            now = self._manifests.get(manifest.object_id) or deleting
            self._manifests.put([replace(now, status=Status.DELETING, segments=max(now.segments, len(keys)))])
            raise _came_back(uri)
        self._manifests.delete([manifest.object_id])
        return Forgotten.FORGOTTEN

    def _is_there(self, uri: str) -> bool:
        try:
            self._objects.info(uri)
        except ObjectMissing:
            return False
        return True


def _came_back(uri: str) -> ObjectsError:
    return ObjectsError(
        f"{uri} came back while it was being forgotten, and is not stored yet.", code="Changed", retryable=True
    )
