"""The command line as a Markdown page: `python -m nestor.cli.reference > docs/cli.md`."""

from collections.abc import Iterator

import click

from nestor.cli import cli

_WIDTH = 100
_INTRODUCTION = """\
Data goes to stdout, words go to stderr; `--json` gives one JSON object on one line. `nestor completion
bash`, `zsh` or `fish` prints what completes commands, options and assets.

This page is made by `make docs`; a test holds it to the program."""


def reference() -> str:
    """Return docs/cli.md: the help of every command, as the program prints it."""
    return "\n".join(["# The command line", "", _INTRODUCTION, "", *_pages()])


def _pages() -> Iterator[str]:
    top = _context(cli, "nestor")
    yield from _page("nestor", cli.get_help(top))
    for name, command in sorted(cli.commands.items()):
        yield from _page(f"nestor {name}", command.get_help(_context(command, name, parent=top)))


def _context(command: click.Command, name: str, *, parent: click.Context | None = None) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        max_content_width=_WIDTH,
        terminal_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )


def _page(title: str, text: str) -> Iterator[str]:
    yield from (f"## {title}", "", "```text", *(line.rstrip() for line in text.splitlines()), "```", "")


if __name__ == "__main__":
    click.echo(reference(), nl=False)
