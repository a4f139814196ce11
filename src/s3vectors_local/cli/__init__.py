"""The command line: s3vectors-local serve, inspect, verify, compact, export, import.

Exit codes: 0 done; 1 `verify` found damage; 2 wrong usage; 3 another process writes to the data; 4 the data cannot be
used; 5 the address cannot be bound; 6 the server extra is not installed; 7 the credentials cannot be used; 8 the
request was refused.
"""

import click

from s3vectors_local.cli.inspect import compact, inspect, verify
from s3vectors_local.cli.serve import serve
from s3vectors_local.cli.transfer import export_, import_


@click.group(
    epilog="Exit codes: 1 damage found, 2 usage, 3 locked by another process, 4 unusable data, 5 address, "
    "6 no server extra, 7 unusable credentials, 8 request refused."
)
def main() -> None:
    """Run an embedded engine that speaks the Amazon S3 Vectors API."""


for command in (serve, inspect, verify, compact, export_, import_):
    main.add_command(command)
