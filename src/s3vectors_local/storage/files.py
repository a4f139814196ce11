"""What the system must be asked for beyond reading and writing: to sync, and whether one may write."""

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

_SHARE: Final = 4  # of the memory, for one file that is read ahead of need
_BLOCK: Final = 4 * 1024 * 1024  # bytes


def sync(file: int) -> None:
    """Return when the file's bytes are on the disk. Raises OSError."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(file)
    else:  # macOS
        import fcntl

        fcntl.fcntl(file, getattr(fcntl, "F_FULLFSYNC"))  # noqa: B009 - not on Linux


def sync_folder(folder: Path) -> None:
    """Return when the names in the folder are on the disk. Raises OSError."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def check_writable(path: Path) -> None:
    """Raise PermissionError where a file that is there, or a folder, may not be written to."""
    needed = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    if path.exists() and not os.access(path, needed, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def read_ahead(path: Path) -> None:
    """Have a file read into memory in the background, where it takes no more than a quarter of the memory there is.

    Its rows are asked for here and there, so nothing else would read it but the disk's own pace, row by row.
    """
    if path.stat().st_size <= _memory() // _SHARE:
        threading.Thread(target=_read, args=(path,), name="read-ahead", daemon=True).start()


def _read(path: Path) -> None:
    # Not by advice: the system reads no more than some hundred kilobytes for that.
    block = bytearray(_BLOCK)
    with suppress(OSError), path.open("rb", buffering=0) as file:  # who needs the file will tell what is wrong with it
        while file.readinto(block):
            pass


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
