"""Objects as files below one folder: the port `Objects` for a placeholder that lies on a disk."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from nestor.errors import InvalidInput, ObjectMissing, ObjectsError
from nestor.ports import ObjectInfo

_SCHEME = "s3://"


class FolderObjects:
    """The key of an object is its path below the folder, whatever the bucket is called; no key leads out of it.

    Files appear whole or not at all, and survive the end of the process; they are not synced against a loss of power.
    Every method raises ObjectsError. Threads may share it.
    """

    def __init__(self, root: Path) -> None:
        """Keep them below this folder, made when the first one comes."""
        self._root = root

    def info(self, uri: str) -> ObjectInfo:
        """Return what is known of the file; its ETag is its SHA-256."""
        content = self.get(uri)
        return ObjectInfo(len(content), hashlib.sha256(content).hexdigest())

    def get(self, uri: str) -> bytes:
        """Return the whole file."""
        path = self._path(uri)
        try:
            return path.read_bytes()
        except OSError as error:
            _raise(error, path)

    def lines(self, uri: str) -> Iterator[bytes]:
        r"""Yield the lines one by one, without the \n that ends them."""
        path = self._path(uri)
        try:
            with path.open("rb") as file:
                for line in file:
                    yield line.removesuffix(b"\n")
        except OSError as error:
            _raise(error, path)

    def put(self, uri: str, content: bytes, *, content_type: str = "application/octet-stream") -> None:  # noqa: ARG002 - files have no type
        """Write the file whole, replacing an older one."""
        path = self._path(uri)
        # A name of this process and thread alone: several may write, and to the same file.
        partial = path.with_name(f".{path.name[:200]}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            with suppress(OSError):  # where no folder can be made, none can be looked into either
                partial.unlink(missing_ok=True)
            raise ObjectsError(f"Cannot write {path}: {error.strerror}.", code=type(error).__name__) from error

    def download(self, uri: str, path: Path, *, etag: str) -> None:
        """Copy the file; ObjectMissing when its content is no longer that of the ETag."""
        content = self.get(uri)
        if hashlib.sha256(content).hexdigest() != etag:
            raise ObjectMissing(f"{uri} was overwritten while it was being read.", code="PreconditionFailed")
        path.write_bytes(content)

    def delete(self, uri: str) -> None:
        """Remove the file; an absent one is ignored."""
        path = self._path(uri)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _raise(error, path)

    def keys(self, uri: str) -> Iterator[str]:
        """Yield the paths of the files below the prefix, folder by folder in order; links are not followed."""
        prefix = _key(uri)
        if not self._is_there():
            raise ObjectMissing(f"There is no folder {self._root}.", code="FileNotFoundError")
        yield from (key for key in self._below(self._root) if key.startswith(prefix))

    def _is_there(self) -> bool:
        try:
            return self._root.is_dir()
        except OSError as error:  # such as a folder above it that may not be looked into
            _raise(error, self._root)

    def _below(self, folder: Path) -> Iterator[str]:
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            _raise(error, folder)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(".part"):
                yield Path(entry.path).relative_to(self._root).as_posix()

    def _path(self, uri: str) -> Path:
        parts = _key(uri).split("/")
        if any(part in {"", ".", ".."} or "\0" in part or (os.sep != "/" and os.sep in part) for part in parts):
            raise InvalidInput(f"{uri!r} cannot be a file below {self._root}: its key is no plain path.")
        return self._root.joinpath(*parts)


def _key(uri: str) -> str:
    bucket, slash, key = uri.removeprefix(_SCHEME).partition("/")
    if not uri.startswith(_SCHEME) or not bucket or not slash:
        raise InvalidInput(f"{uri!r} is no address of an object: it must be s3://bucket/key.")
    return key


def _raise(error: OSError, path: Path) -> NoReturn:
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        raise ObjectMissing(f"There is no {path}.", code=type(error).__name__) from error
    raise ObjectsError(f"Cannot use {path}: {error.strerror}.", code=type(error).__name__) from error
