"""Object stores in memory, and one that counts what it is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nestor.errors import ObjectMissing, ObjectsError
from nestor.ports import ObjectInfo


class DictObjects:
    """Objects in a dictionary; an ETag is the number of the write."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.held: dict[str, tuple[bytes, str]] = {}
        self.asked: list[str] = []
        self._writes = 0

    def info(self, uri: str) -> ObjectInfo:
        """Return what is known of the object."""
        content, etag = self.fetch(uri)
        return ObjectInfo(size=len(content), etag=etag, modified_at=1_763_633_550.0)

    def get(self, uri: str) -> bytes:
        """Return the whole object."""
        return self.fetch(uri)[0]

    def fetch(self, uri: str) -> tuple[bytes, str]:
        """Return the whole object and its ETag."""
        self.asked.append(uri)
        if uri not in self.held:
            raise ObjectMissing(f"There is no {uri}.", code="NoSuchKey")
        return self.held[uri]

    def lines(self, uri: str) -> Iterator[bytes]:
        """Yield the lines one by one."""
        content = self.get(uri)
        return iter(content.removesuffix(b"\n").split(b"\n") if content else [])

    def put(self, uri: str, content: bytes, *, content_type: str = "") -> None:
        """Store the object."""
        self._writes += 1
        self.held[uri] = (content, f'"{self._writes}"')

    def replace(self, uri: str, content: bytes, *, etag: str | None, content_type: str) -> str:
        """Store the object where it is the one of that ETag."""
        if (self.held[uri][1] if uri in self.held else None) != etag:
            raise ObjectsError("It changed.", code="PreconditionFailed", retryable=True)
        self.put(uri, content)
        return self.held[uri][1]

    def download(self, uri: str, path: Path, *, etag: str) -> None:
        """Write the object into a file."""
        content, now = self.fetch(uri)
        if now != etag:
            raise ObjectMissing(f"{uri} was overwritten.", code="PreconditionFailed")
        path.write_bytes(content)

    def delete(self, uri: str, *, etag: str | None = None) -> None:
        """Remove the object."""
        self.held.pop(uri, None)

    def keys(self, uri: str) -> Iterator[str]:
        """Yield the keys below the prefix."""
        found = sorted(name for name in self.held if name.startswith(uri))
        return (name.removeprefix("s3://").partition("/")[2] for name in found)


@pytest.fixture
def objects() -> DictObjects:
    """Return an empty store."""
    return DictObjects()
