"""The command line: parse, call one use case, print. Data goes to stdout, words go to stderr."""

import io
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

import nestor
from nestor.cli import (
    assets,
    chat,
    compare,
    completion,
    cost,
    demo,
    doctor,
    ingest,
    mcp,
    migrate,
    reindex,
    rollback,
    search,
    serve,
    setup,
)
from nestor.cli.paths import PathType
from nestor.errors import (
    EmbeddingFailed,
    HomeUnusable,
    MissingExtra,
    ModelFailed,
    NestorError,
    UnreadableFile,
    VectorsError,
)
from nestor.settings import Settings

EXIT_CODES: dict[type[NestorError], int] = {
    UnreadableFile: 1,
    NestorError: 2,
    MissingExtra: 3,
    VectorsError: 4,
    HomeUnusable: 5,
    EmbeddingFailed: 6,
    ModelFailed: 7,
}
"""The nearest class decides. 0 is success, 1 also `some files were not ingested`, 130 an interruption."""

EXTRAS = {"rich": "rich", "mcp": "mcp", "fastapi": "fastapi", "PIL": "pillow", "av": "av", "pypdfium2": "pypdfium2"}
"""Packages of the extras, by the module that is missing without them."""


EXIT_CODES_IN_WORDS = """\b
Exit codes:
  0    done
  1    some files could not be ingested or moved, or `setup` or `doctor` found what differs
  2    wrong input or usage
  3    an optional part is not installed
  4    the vector store failed or refused
  5    the home is being written by another process, or cannot be used
  6    the embedder failed
  7    the chat model failed
  130  interrupted: the same command again does the rest
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES_IN_WORDS)
@click.version_option(nestor.__version__, prog_name="nestor")
@click.option(
    "--home",
    type=PathType(path_type=Path, file_okay=False),
    help="Folder where everything is kept (default: $NESTOR_HOME or ~/.nestor).",
)
@click.pass_context
def cli(context: click.Context, home: Path | None) -> None:
    """Find moments in text, documents, images, audio and video by meaning."""
    context.obj = Settings.from_environment(home=home)


for command in (
    setup.setup,
    ingest.ingest,
    search.search,
    chat.chat,
    serve.serve,
    compare.compare,
    cost.cost,
    reindex.reindex,
    assets.status,
    assets.assets,
    assets.delete,
    migrate.migrate,
    rollback.rollback,
    doctor.doctor,
    demo.demo,
    mcp.mcp,
    completion.completion,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; the entry point of the console script."""
    # Data and words keep their order also where both go to one file.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    asked_to_stop = _noticing_interrupts()
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _interrupted()
    except ModuleNotFoundError as error:
        if asked_to_stop:
            _interrupted()
        if error.name not in EXTRAS:
            raise
        click.echo(f"nestor: this needs what is not installed: pip install {EXTRAS[error.name]}", err=True)
        sys.exit(EXIT_CODES[MissingExtra])
    except NestorError as error:
        if asked_to_stop:
            _interrupted()
        click.echo(f"nestor: {error}", err=True)
        sys.exit(next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES))


def _noticing_interrupts() -> list[int]:
    """Return a list that gets the number of each SIGINT.

    One that comes while a compiled module is being imported may surface as a failed import, not as KeyboardInterrupt.
    """
    noticed: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        noticed.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    return noticed


def _interrupted() -> NoReturn:
    click.echo("Interrupted. What was reported as stored is stored; the same command again does the rest.", err=True)
    sys.exit(130)
