"""Run a command line to its exit code, also where it is stopped or breaks."""

import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import click

from s3vectors_local.cli.exits import CRASHED, fail
from s3vectors_local.cli.output import take_stdout


class Commands(click.Group):
    """A group of which a command that meets a broken pipe has failed: click would end it in silence, with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise RuntimeError("a pipe broke that is not the output") from error


def run(command: click.Command) -> NoReturn:
    """Run a command line and end the program, with one of EXIT_CODES whatever happens."""
    stopped_by = _noticing_signals()
    take_stdout()
    code = _code(command, stopped_by)
    # What is left in the buffer goes out now: a failure at the interpreter's end would be a traceback.
    unwritten = _ended(sys.stdout.flush)
    sys.exit(code or unwritten)


def _code(command: click.Command, stopped_by: list[int]) -> int:
    try:
        return _ended(lambda: command.main(standalone_mode=False))
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _stopped(stopped_by)
    except Exception:  # noqa: BLE001 - whatever it is, its traceback is shown
        if stopped_by:  # a signal may surface as a failed import of what is compiled, say
            return _stopped(stopped_by)
        with suppress(OSError):
            traceback.print_exc()
        return CRASHED


def _ended(act: Callable[[], object]) -> int:
    """Return the exit code that a call asks for, by its value or by SystemExit; none is 0."""
    try:
        code = act()
    except SystemExit as error:
        code = error.code
    return code if isinstance(code, int) else 0


def _noticing_signals() -> list[int]:
    """Return a list that gets the number of each SIGINT and SIGTERM. Both raise KeyboardInterrupt."""
    noticed: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        noticed.append(number)
        raise KeyboardInterrupt

    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is default:  # else whoever started this wants it ignored
            signal.signal(number, interrupt)
    return noticed


def _stopped(stopped_by: list[int]) -> int:
    number = stopped_by[0] if stopped_by else signal.SIGINT
    how = "interrupted" if number == signal.SIGINT else "stopped by SIGTERM"
    return _ended(lambda: fail(f"{how}: the same command can be given again", 128 + number))
