"""`nestor completion`, and what it completes beyond names of commands and options."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from nestor.domain import DIMENSIONS
from nestor.errors import NestorError
from nestor.settings import Settings

if TYPE_CHECKING:
    from nestor.domain import Manifest

SHELLS = ("bash", "zsh", "fish")
_MOST = 200
"""What a shell is given to choose from."""

_LINES = """\b
bash:  eval "$(nestor completion bash)"       in ~/.bashrc
zsh:   eval "$(nestor completion zsh)"        in ~/.zshrc
fish:  nestor completion fish | source        in ~/.config/fish/config.fish
"""


@click.command(epilog=_LINES)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the script that makes a shell complete commands, options, files and what is stored."""
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101  # click brings the three
    click.echo(made(context.find_root().command, {}, "nestor", "_NESTOR_COMPLETE").source())


def dimensions(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return the sizes that begin so."""
    return [str(dimension) for dimension in DIMENSIONS if str(dimension).startswith(incomplete)]


def stored(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the assets of the home that begin so: as paths, or as addresses where one is being typed."""
    home = (context.find_root().params or {}).get("home")
    try:
        found = _beginning(_manifests(Settings.from_environment(home=home).home), incomplete)
        return [CompletionItem(each) for _, each in zip(range(_MOST), found, strict=False)]
    except NestorError:
        return []  # whoever presses a key asks for no error; the command itself will tell it


def _manifests(home: Path) -> "Iterator[Manifest]":
    from contextlib import closing

    from nestor.adapters.manifests import SqliteManifests

    file = home / "manifests.sqlite"
    if file.is_file():
        with closing(SqliteManifests(file)) as manifests:
            yield from manifests.all()


def _beginning(manifests: "Iterator[Manifest]", incomplete: str) -> Iterator[str]:
    from nestor.moments import path_of

    # bash takes a colon for the end of a word: what comes after it is all that it asks for, and takes.
    tail = incomplete.startswith("//")
    address = tail or "://" in incomplete
    for manifest in manifests:
        path = path_of(manifest.uri)
        if address or path is None:
            name = manifest.uri.partition(":")[2] if tail else manifest.uri
        else:
            name = str(path) if Path(incomplete).is_absolute() else os.path.relpath(path)
        if name.startswith(incomplete):
            yield name
