"""One upload on its way into the home."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nestor.errors import HomeUnusable, InvalidInput
from nestor.uploads.jobs import sync_folder
from nestor.uploads.names import distinct, safe_name

PARTIAL = ".partial-"
"""Begins the names of folders of uploads that did not arrive whole."""


class Incoming:
    """Files written one after another where nobody looks yet; for one thread at a time. May raise HomeUnusable.

    They get a folder named after their names and contents: what is uploaded again has the address that it had.
    """

    def __init__(self, folder: Path) -> None:
        """Write below this folder."""
        self._folder = folder
        self._partial = folder / f"{PARTIAL}{secrets.token_hex(8)}"
        self._digests: dict[str, str] = {}
        self._name = ""
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        with self._translated():
            self._partial.mkdir(parents=True)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files that are complete, as they will be."""
        return tuple(self._digests)

    def begin(self, name: str) -> None:
        """Begin a file. Raises InvalidInput for a name that is none."""
        self._name = distinct(safe_name(name), {taken.casefold() for taken in self._digests})
        self._digest = hashlib.sha256()
        with self._translated():
            self._file = (self._partial / self._name).open("xb")

    def write(self, data: bytes) -> None:
        """Write more of the file."""
        assert self._file is not None  # noqa: S101  # begin comes first
        self._digest.update(data)
        with self._translated():
            self._file.write(data)

    def end(self) -> None:
        """End the file; it is durable."""
        assert self._file is not None  # noqa: S101  # as above
        with self._translated(), self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file = None
        self._digests[self._name] = self._digest.hexdigest()

    def keep(self) -> tuple[Path, ...]:
        """Return where the files are from now on; all of them are durable. Raises InvalidInput where there are none."""
        if not self._digests:
            self.drop()
            raise InvalidInput("The upload holds no file.")
        told = "".join(f"{name}\0{digest}\n" for name, digest in sorted(self._digests.items()))
        folder = self._folder / hashlib.sha256(told.encode()).hexdigest()[:24]
        with self._translated():
            sync_folder(self._partial)
            if folder.is_dir():
                self._complete(folder)
                self.drop()
            else:
                self._partial.rename(folder)
                sync_folder(self._folder)
        return tuple(folder / name for name in self._digests)

    def _complete(self, folder: Path) -> None:
        """Put into the folder of an earlier upload of the same files those that were deleted since."""
        for name in self._digests:
            if not (folder / name).exists():
                (self._partial / name).rename(folder / name)
        sync_folder(folder)

    def drop(self) -> None:
        """Forget what has come."""
        if self._file is not None:
            self._file.close()
            self._file = None
        shutil.rmtree(self._partial, ignore_errors=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HomeUnusable(
                f"Cannot write to {self._folder}: {error.strerror}. Is there space, and permission?"
            ) from error
