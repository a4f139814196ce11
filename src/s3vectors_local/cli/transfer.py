"""The commands `export` and `import`: an index as JSON lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from s3vectors_local.cli.options import REFUSED, as_json, data, fail, opened, show

_STREAM = Path("-")


@click.command(name="export")
@click.argument("bucket")
@click.argument("index")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_STREAM,
    help="File to write, '-' for standard output.",
)
@data
@as_json
def export_(bucket: str, index: str, output: Path, data: Path, as_json: bool) -> None:
    """Write an index as JSON lines: its configuration, then a vector a line. Also while a server writes."""
    from s3vectors_local.transfer import export_index

    with opened(data, read_only=True) as engine, _writing(output) as stream:
        count = export_index(engine, bucket, index, stream)
    if output != _STREAM:
        show({"vectors": count, "file": str(output)}, f"{count:,} vectors written to {output}.", as_json=as_json)


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--bucket", help="Bucket to put it into, if not the one it came from; it is made where it is missing.")
@click.option("--index", help="Name to give the index, if not the one it had.")
@data
@as_json
def import_(file: Path, bucket: str | None, index: str | None, data: Path, as_json: bool) -> None:
    """Read what `export` wrote. It can be repeated: what is there already is written again. No server may write."""
    from s3vectors_local.transfer import TransferFault, import_index

    with opened(data) as engine, click.open_file(str(file), "rb") as stream:
        try:
            count = import_index(engine, stream, bucket=bucket, index=index)
        except TransferFault as error:
            fail(f"{file}: {error}", REFUSED)
        engine.settle()
    show({"vectors": count}, f"{count:,} vectors read from {file}.", as_json=as_json)


@contextmanager
def _writing(path: Path) -> Iterator[IO[bytes]]:
    """Give a stream to a file that appears when all is written; what was there before stays if it fails."""
    if path == _STREAM:
        yield sys.stdout.buffer
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            yield stream
        unfinished.replace(path)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}", REFUSED)
    finally:
        unfinished.unlink(missing_ok=True)
