"""The command line: s3vectors-local serve, inspect, verify, compact, export, import.

How it ends is told by its exit code: exits.EXIT_CODES.
"""

import click

from s3vectors_local.cli.exits import EXIT_CODES
from s3vectors_local.cli.inspect import compact, inspect, verify
from s3vectors_local.cli.running import Commands, run
from s3vectors_local.cli.serve import serve
from s3vectors_local.cli.transfer import export_, import_

_EXIT_CODES_IN_WORDS = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {words}" for code, words in EXIT_CODES.items())


@click.group(cls=Commands, epilog=_EXIT_CODES_IN_WORDS)
@click.version_option(package_name="nestor", prog_name="s3vectors-local")
def cli() -> None:
    """Run an embedded engine that speaks the Amazon S3 Vectors API."""


for command in (serve, inspect, verify, compact, export_, import_):
    cli.add_command(command)


def main() -> None:
    """Run the command line; the entry point of the console script."""
    run(cli)
