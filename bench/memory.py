"""What a process holds in memory, and how to make the kernel forget files. Linux only."""

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_PAGEOUT = 21
"""madvise advice: write out what is dirty, then drop; never loses data, unlike DONTNEED on private pages."""


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB in memory: of the process's own, and in all, with the pages of files that it maps and shares."""

    anonymous: float
    total: float


def held(pid: int) -> Memory:
    """Return what a process holds now."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(kib["Anonymous"] / 1024, kib["Rss"] / 1024)


def held_by_server(pid: int) -> Memory:
    """Return what a server and its readers hold now; a process that builds an index is not of them."""
    each = [held(member) for member in _family(pid) if member == pid or _is_reader(member)]
    return Memory(sum(one.anonymous for one in each), sum(one.total for one in each))


def mapped(pid: int, folder: Path) -> float:
    """Return the MiB of the pages of a folder's files that a process maps and that are in memory."""
    kib, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if fields[0] == "Rss:":
            kib += int(fields[1]) * inside
        elif not fields[0].endswith(":"):
            inside = len(fields) == 6 and Path(fields[5]).is_relative_to(folder.resolve())
    return kib / 1024


class Peak:
    """The most anonymous memory of a process and its children in a `with` block, looked at twice a second; MiB."""

    def __init__(self, pid: int) -> None:
        """Watch a process."""
        self._pid = pid
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self.anonymous = 0.0

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._watcher.join()
        self._look()

    def _watch(self) -> None:
        self._look()
        while not self._over.wait(0.5):
            self._look()

    def _look(self) -> None:
        self.anonymous = max(self.anonymous, sum(_anonymous(pid) for pid in _family(self._pid)))


def forget(folder: Path) -> None:
    """Drop the pages of a folder's files from the page cache, those that this process maps too.

    The kernel keeps what is dirty and what other processes map.
    """
    _page_out(folder)
    for path in _files(folder):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def disk(folder: Path) -> float:
    """Return the MiB that a folder's files take."""
    return sum(path.stat().st_blocks * 512 for path in _files(folder)) / 2**20


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _family(int(child))


def _is_reader(pid: int) -> bool:
    return b"readers.process" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _anonymous(pid: int) -> float:
    """Return 0 for a process that has ended."""
    try:
        return held(pid).anonymous
    except (OSError, KeyError):
        return 0.0


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _page_out(folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and Path(fields[5]).is_relative_to(folder.resolve()):
            start, end = (int(address, 16) for address in fields[0].split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _PAGEOUT)
