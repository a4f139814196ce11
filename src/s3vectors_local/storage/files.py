"""What the system must be asked for beyond reading and writing: to sync, and whether one may write."""

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

_SHARE: Final = 4  # of the memory, for one file that is read ahead of need
_BLOCK: Final = 4 * 1024 * 1024  # bytes
_PLACES: Final = 64  # of a file that are looked at


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
    with suppress(OSError):  # who needs the file will tell what is wrong with it; it may be mapped and gone
        if path.stat().st_size <= _memory() // _SHARE:
            threading.Thread(target=_read, args=(path,), name="read-ahead", daemon=True).start()


def _read(path: Path) -> None:
    # Not by advice: the system reads no more than some hundred kilobytes for that.
    block = bytearray(_BLOCK)
    with suppress(OSError), path.open("rb", buffering=0) as file:
        while not is_in_memory(file.fileno()) and file.readinto(block):
            pass


def is_in_memory(file: int) -> bool:
    """Tell whether a file seems to be in memory, as one is that was just written; False where nobody can tell."""
    if not hasattr(os, "preadv") or not hasattr(os, "RWF_NOWAIT"):
        return False
    end, byte = os.fstat(file).st_blocks * 512, [bytearray(1)]  # behind that, room that was never written
    try:
        return all(os.preadv(file, byte, place * end // _PLACES, os.RWF_NOWAIT) for place in range(_PLACES))
    except OSError:  # it would have to be read from the disk; or the file system does not know
        return False


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
