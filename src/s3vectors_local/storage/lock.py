"""The lock of the one writer: flock on a file that holds the writer's process id."""

import fcntl
import os
from pathlib import Path

from s3vectors_local.errors import StoreLocked

FILE_NAME = "writer.lock"


class WriterLock:
    """Held from construction to `release`, at the latest until the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises StoreLocked at once when another process, or another engine of this one, holds it."""
        path = folder / FILE_NAME
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(folder)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next writer in. The file stays: removing it would let two writers lock two files of one name."""
        os.close(self._file)

    def _take(self, folder: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _locked(folder, _pid(self._file)) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)


def _pid(file: int) -> int | None:
    text = os.pread(file, 32, 0)
    return int(text) if text.isdigit() else None


def _locked(folder: Path, pid: int | None) -> StoreLocked:
    who = "another process" if pid is None else f"process {pid}"
    where = " (this one)" if pid == os.getpid() else ""
    return StoreLocked(
        f"{who}{where} is writing to {folder}; stop it, or open for reading only",
        pid=pid,
    )
