"""How a command ends: the exit codes, and a word on stderr."""

import os
import signal
import sys
from contextlib import suppress
from typing import Final, NoReturn

import click

DAMAGED, USAGE, LOCKED, UNUSABLE, NO_ADDRESS, NO_SERVER, NO_CREDENTIALS, REFUSED, UNWRITTEN = range(1, 10)
CRASHED: Final = os.EX_SOFTWARE
INTERRUPTED, READER_GONE, TERMINATED = (128 + number for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM))

EXIT_CODES: Final = {
    0: "done",
    DAMAGED: "`verify` found damage",
    USAGE: "wrong usage",
    LOCKED: "another process writes to the data",
    UNUSABLE: "the data cannot be used",
    NO_ADDRESS: "the address cannot be bound",
    NO_SERVER: "the server extra is not installed",
    NO_CREDENTIALS: "the credentials cannot be used",
    REFUSED: "what was asked for was refused",
    UNWRITTEN: "the output cannot be written",
    CRASHED: "a fault of this program",
    INTERRUPTED: "interrupted",
    READER_GONE: "whoever read the output went away",
    TERMINATED: "stopped by SIGTERM",
}
"""All of them, in words; docs/engine/server.md says more."""


def fail(reason: object, code: int) -> NoReturn:
    """End the program with a word on stderr."""
    with suppress(OSError):  # the exit code still tells
        click.echo(f"s3vectors-local: {reason}", err=True)
    sys.exit(code)
