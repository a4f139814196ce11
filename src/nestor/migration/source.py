"""The placeholder as a place to read from and write to, in S3 or in a folder."""

from collections.abc import Iterator

from nestor.errors import ObjectMissing, ObjectsError
from nestor.migration.placeholder import Damaged
from nestor.ports import Objects

_OF_ONE_OBJECT = frozenset({"AccessDenied", "PermissionError", "InvalidObjectState"})
"""Codes that may be about a single object, and do not pass by trying again."""


class Placeholder:
    """Objects by their path below one address. Threads may share it."""

    def __init__(self, objects: Objects, *, root: str, name: str) -> None:
        """Work below `s3://bucket/prefix/`; `name` is what the user calls it."""
        self._objects = objects
        self._root = root if root.endswith("/") else root + "/"
        self.name = name

    def paths(self) -> Iterator[str]:
        """Yield the path of every object. Raises ObjectsError."""
        prefix = self._root.removeprefix("s3://").partition("/")[2]
        return (key.removeprefix(prefix) for key in self._objects.keys(self._root))

    def read(self, path: str) -> bytes:
        """Return the object. Raises Damaged when this one cannot be read, ObjectsError when the store fails."""
        try:
            return self._objects.get(self._root + path)
        except ObjectMissing as error:
            raise Damaged(f"{error}", reason="missing") from error
        except ObjectsError as error:
            if error.code in _OF_ONE_OBJECT:
                raise Damaged(f"{error}", reason="denied") from error
            raise

    def write(self, path: str, content: bytes) -> None:
        """Store the object. Raises ObjectsError."""
        self._objects.put(self._root + path, content, content_type="application/json")
