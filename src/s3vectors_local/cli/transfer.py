"""The commands `export` and `import`: an index as JSON lines."""

from pathlib import Path
from typing import IO

import click

from s3vectors_local.cli.exits import REFUSED, UNUSABLE, fail
from s3vectors_local.cli.options import as_json, data, opened, show
from s3vectors_local.cli.output import STREAMS, writing


@click.command(name="export")
@click.argument("bucket")
@click.argument("index")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, readable=False, path_type=Path),
    default=STREAMS[0],
    help="File to write, '-' for standard output.",
)
@data
@as_json
def export_(bucket: str, index: str, output: Path, data: Path, as_json: bool) -> None:
    """Write an index as JSON lines: its configuration, then a vector a line. Also while a server writes."""
    from s3vectors_local.transfer import export_index

    with opened(data, read_only=True) as engine, writing(output) as stream:
        count = export_index(engine, bucket, index, stream)
    if output not in STREAMS:
        show({"vectors": count, "file": str(output)}, f"{count:,} vectors written to {output}.", as_json=as_json)


def _name(_: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Refuse what can be no name of a bucket or an index."""
    from s3vectors_local import limits, names
    from s3vectors_local.errors import ValidationException

    if name is None:
        return None
    low, high = limits.NAME_LENGTH
    if not low <= len(name) <= high:
        raise click.BadParameter(f"{name!r} must have {low} to {high} characters")
    try:
        return names.check_bucket_name(name) if option.name == "bucket" else names.check_index_name(name)
    except ValidationException:
        raise click.BadParameter(
            f"{name!r} may only have lower-case letters, digits, hyphens, in an index's name dots; "
            "first and last comes a letter or digit"
        ) from None


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--bucket",
    callback=_name,
    help="Bucket to put it into, if not the one it came from; it is made where it is missing.",
)
@click.option("--index", callback=_name, help="Name to give the index, if not the one it had.")
@data
@as_json
def import_(file: Path, bucket: str | None, index: str | None, data: Path, as_json: bool) -> None:
    """Read what `export` wrote. It can be repeated: what is there already is written again. No server may write."""
    from s3vectors_local.errors import ServiceUnavailableException
    from s3vectors_local.transfer import Source, TransferFault

    with _opened_file(file) as stream:
        try:
            source = Source(stream)  # before the data: a file that is no export must not make a folder
        except TransferFault as error:
            fail(f"{file}: {error}", REFUSED)
        with opened(data) as engine:
            try:
                count = source.put(engine, bucket, index)
            except TransferFault as error:
                fail(f"{file}: {error}{_kept(source.stored)}", REFUSED)
            except ServiceUnavailableException as error:
                fail(f"{data}: {error}{_kept(source.stored)}", UNUSABLE)
            engine.settle()
    show({"vectors": count}, f"{count:,} vectors read from {file}.", as_json=as_json)


def _opened_file(file: Path) -> IO[bytes]:
    try:
        stream: IO[bytes] = click.open_file(str(file), "rb")
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", REFUSED)
    return stream


def _kept(stored: int) -> str:
    return f". {stored:,} vectors read before that are stored; importing again is safe" if stored else ""
