"""Where a command writes to: standard output, or a file that is there only when it is whole."""

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, NoReturn

from s3vectors_local.cli.exits import READER_GONE, UNWRITTEN, fail

STREAMS: Final = (Path("-"), Path("/dev/stdout"))
"""What names standard output."""


class Output(io.FileIO):
    """A file whose failed write ends the program, in silence if it was for want of a reader."""

    def __init__(self, file: int | Path, name: object, *, closefd: bool = True) -> None:
        """Write to a path, or to what is open already. Raises OSError."""
        super().__init__(file, "w", closefd=closefd)
        self._told_as = name
        self._failed = False

    def write(self, data: Any) -> int:
        """Write what fits; after a failure everything is dropped, so that closing is no second one."""
        if self._failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._failed = True
            _cannot_write(self._told_as, error)


def take_stdout() -> None:
    """Have every write to `sys.stdout` that fails end the program, as Output does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        file, encoding, errors = sys.stdout.fileno(), sys.stdout.encoding, sys.stdout.errors
    else:  # closed by whoever started this: a file that refuses writes stands in, before data gets its number
        file, encoding, errors = os.open(os.devnull, os.O_RDONLY), "utf-8", "strict"
    raw = Output(file, "standard output", closefd=False)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=True)


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Give a stream to standard output, to a device or pipe, or to a file that appears when all is written.

    A file that was there stays if anything fails; the new one gets its mode. Of a symbolic link the target is replaced.
    What cannot be written ends the program.
    """
    if path in STREAMS:
        yield sys.stdout.buffer
        return
    mode = _mode(path)
    if mode is None or stat.S_ISREG(mode):
        with _replacing(path, mode) as stream:
            yield stream
    else:
        with _telling(path):
            raw = Output(path, path)
        with io.BufferedWriter(raw) as stream:
            yield stream


@contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[IO[bytes]]:
    from tempfile import mkstemp

    target = Path(os.path.realpath(path))
    with _telling(path):
        file, name = mkstemp(dir=target.parent, prefix=".s3vectors-local-", suffix=".unfinished")
    unfinished = Path(name)
    try:
        with io.BufferedWriter(Output(file, path)) as stream:
            yield stream
            stream.flush()
            with _telling(path):
                os.fchmod(file, _new_mode() if mode is None else stat.S_IMODE(mode))
                os.fsync(file)
        with _telling(path):
            unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _mode(path: Path) -> int | None:
    """Return type and permissions of what is there, None for nothing."""
    with _telling(path):
        try:
            return path.stat().st_mode
        except FileNotFoundError:
            return None


def _new_mode() -> int:
    umask = os.umask(0o077)  # it can only be read by setting it
    os.umask(umask)
    return 0o666 & ~umask


@contextmanager
def _telling(name: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _cannot_write(name, error)


def _cannot_write(name: object, error: OSError) -> NoReturn:
    if isinstance(error, BrokenPipeError):
        sys.exit(READER_GONE)
    fail(f"cannot write {name}: {error.strerror}", UNWRITTEN)
