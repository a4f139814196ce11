"""A reader process: takes paths from its standard input, answers with Readings, ends when the input closes.

It is no sandbox: it keeps a parser that crashes, hangs or eats memory from taking the caller with it.
"""

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, NoReturn

from nestor.domain import Reading
from nestor.errors import NestorError
from nestor.media.options import ReadOptions
from nestor.media.source import refused
from nestor.media.wire import receive, send

Reader = Callable[[Path, ReadOptions], Reading]

_MEMORY = 4 << 30
"""Address space beside twice the largest file; libraries reserve much more than they use."""
_SPARE_SECONDS = 30


def main() -> NoReturn:
    """Serve until standard input closes; then end at once, whatever is being read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, replies = _pipes()
    name, options = receive(requests)
    reader = _importable(name)
    _limit_memory(options)
    send(replies, "ready")
    _silence()
    paths: SimpleQueue[Path] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests, paths), daemon=True).start()
    while True:
        _answer(replies, _result(reader, paths.get(), options))


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes for ourselves: what a library prints must not get between the answers."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def _silence() -> None:
    os.dup2(1, 2)


def _importable(name: str) -> Reader:
    module, _, function = name.partition(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader


def _listen(requests: BinaryIO, paths: "SimpleQueue[Path]") -> None:
    while True:
        try:
            paths.put(receive(requests))
        except (EOFError, OSError):
            os._exit(0)


def _result(reader: Reader, path: Path, options: ReadOptions) -> Reading | NestorError:
    _limit_time(options)
    try:
        return reader(path, options)
    except NestorError as error:
        return error
    except MemoryError:
        return refused(path, "oversized", "reading it needs more memory than there is. Make it smaller.")
    except Exception as error:  # noqa: BLE001  # the process's entry point: one file must not end it
        return refused(path, "broken", f"its reader failed ({type(error).__name__}: {error}).")


def _answer(replies: BinaryIO, result: Reading | NestorError) -> None:
    try:
        send(replies, result)
    except OSError:
        os._exit(0)


def _limit_memory(options: ReadOptions) -> None:
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _MEMORY + 2 * options.max_bytes
    if hard == resource.RLIM_INFINITY or hard > wanted:
        _set_limit(resource.RLIMIT_AS, wanted, hard)


def _limit_time(options: ReadOptions) -> None:
    """Bound the processor time of the next file, in case the pool that watches the clock is gone or stopped."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(time.process_time() + options.timeout_seconds * (os.cpu_count() or 1)) + _SPARE_SECONDS
    if hard == resource.RLIM_INFINITY or wanted < hard:
        _set_limit(resource.RLIMIT_CPU, wanted, hard)


def _set_limit(kind: int, soft: int, hard: int) -> None:
    import resource

    try:
        resource.setrlimit(kind, (soft, hard))
    except (ValueError, OSError):
        return  # some systems know the limit and do not let it be set
