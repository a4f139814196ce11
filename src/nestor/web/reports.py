"""Reports of `nestor compare --keep`, as files in a folder of the home."""

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nestor.refusals import Refused

MOST = 20
"""Reports that are listed: the latest."""
_BYTES = 4 << 20
"""Of one report; those of `nestor compare` have some 30,000."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}\.html")


@dataclass(frozen=True, slots=True)
class Report:
    """One report."""

    name: str
    written_at: float
    """Epoch seconds."""


def listed(folder: Path | None) -> list[Report]:
    """Return the latest reports, the latest first; none where there is no folder."""
    found: list[Report] = []
    if folder is None or not folder.is_dir():
        return found
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # removed meanwhile
            status = path.lstat()
            if _NAME.fullmatch(path.name) and stat.S_ISREG(status.st_mode):
                found.append(Report(path.name, status.st_mtime))
    return sorted(found, key=lambda report: (report.written_at, report.name), reverse=True)[:MOST]


def read(folder: Path | None, name: str) -> bytes:
    """Return the report of that name. Raises Refused where there is none: no link and no other folder is followed."""
    if folder is None or not _NAME.fullmatch(name):
        raise _missing()
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise _missing() from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _BYTES:
            raise _missing()
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(_BYTES)
    finally:
        os.close(descriptor)


def _missing() -> Refused:
    return Refused(404, "NotFound", "There is no such report; see those that are listed at /compare.")
