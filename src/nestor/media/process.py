"""One reader process as its pool sees it."""

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from nestor.domain import Reading
from nestor.errors import NestorError, UnreadableFile
from nestor.media.options import ReadOptions
from nestor.media.source import refused
from nestor.media.wire import receive, send

_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from nestor.media.worker import main; main()"
_GRACE_SECONDS = 1.0


class ReaderProcess:
    """Starts at once; `read` is for one thread at a time, `kill_if_overdue` and `close` for any."""

    def __init__(self, reader: str, options: ReadOptions) -> None:
        self._timeout = options.timeout_seconds
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._overdue = False
        own_group: dict[str, Any] = {} if sys.platform == "win32" else {"process_group": 0}
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and code
            [sys.executable, "-c", _START, json.dumps([str(entry) for entry in sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **own_group,
        )
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        self._setup = (reader, options)
        self._ready = False

    def wait_until_ready(self) -> None:
        """Return when it takes files. Raises NestorError when it cannot start."""
        if self._ready:
            return
        try:
            send(self._requests, self._setup)
            receive(self._answers)
            self._ready = True
        except (EOFError, OSError) as error:
            code = self._process.wait()
            raise NestorError(
                f"A reader process could not start (exit status {code}); see its error output."
            ) from error

    @property
    def alive(self) -> bool:
        """Whether it can take another file."""
        return not self._overdue and self._process.poll() is None

    def read(self, path: Path) -> Reading | UnreadableFile:
        """Return what the file holds or why it cannot be read, also when the process is lost over it."""
        try:
            send(self._requests, path)
            with self._lock:
                self._deadline = time.monotonic() + self._timeout
            answer = receive(self._answers)
        except (EOFError, OSError):
            return self._lost(path)
        with self._lock:
            self._deadline = None
        if isinstance(answer, NestorError) and not isinstance(answer, UnreadableFile):
            raise answer
        return cast(Reading | UnreadableFile, answer)

    def kill_if_overdue(self) -> None:
        """End the process when its file has taken longer than timeout_seconds."""
        with self._lock:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._overdue = True
                self._process.kill()

    def kill(self) -> None:
        """End the process, whatever it is reading."""
        self._process.kill()

    def close(self) -> None:
        """End the process and let go of it; no other thread may be reading with it."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # not even SIGKILL ends what waits for a dead network disk
            self._process.wait(_GRACE_SECONDS)
        for pipe in (self._requests, self._answers):
            with suppress(OSError):  # what was still to be written has no reader any more
                pipe.close()

    def _lost(self, path: Path) -> UnreadableFile:
        code = self._process.wait()
        if self._overdue or code == -getattr(signal, "SIGXCPU", 0):
            return refused(
                path,
                "timeout",
                f"it takes longer than the {self._timeout:g} s of timeout_seconds. Allow more, or split it.",
            )
        cause = signal.strsignal(-code) if code < 0 else f"exit status {code}"
        return refused(
            path,
            "crashed",
            f"the process that read it ended ({cause}). The file may be damaged, or too large for the memory.",
        )
