"""The commands that look at data or keep it in order: `inspect`, `verify`, `compact`."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from s3vectors_local.cli.exits import DAMAGED, UNUSABLE, fail
from s3vectors_local.cli.options import all_indexes, as_json, data, opened, show

if TYPE_CHECKING:
    from s3vectors_local.engine import Engine


@click.command()
@data
@as_json
def inspect(data: Path, as_json: bool) -> None:
    """Show indexes, how they are searched and with what measured recall; also while a server writes."""
    with opened(data, read_only=True) as engine:
        rows = [_row(engine, index) for index in all_indexes(engine)]
    show(rows, "\n".join(map(_line, rows)) or "No indexes.", as_json=as_json)


@click.command()
@data
@as_json
def verify(data: Path, as_json: bool) -> None:
    """Read everything and check that it holds together; also while a server writes. Exit code 1 tells of damage."""
    with opened(data, read_only=True) as engine:
        faults = _faults(engine, data)
    show({"faults": faults}, "\n".join(faults) or "No damage found.", as_json=as_json)
    if faults:
        sys.exit(DAMAGED)


@click.command()
@data
@as_json
def compact(data: Path, as_json: bool) -> None:
    """Give the room of deleted and overwritten vectors back, and bring what queries search by up to date.

    No server may write meanwhile.
    """
    from s3vectors_local.storage.store import FILE_NAME

    if not (data / FILE_NAME).is_file():  # else a mistyped name would make a new, empty folder
        fail(f"there is no data in {data}", UNUSABLE)
    before = _size(data)
    with opened(data) as engine:
        for index in all_indexes(engine):
            engine.compact(index.bucket, index.name)
            engine.refresh(index.bucket, index.name)
        engine.vacuum()
    sizes = {"bytes_before": before, "bytes_after": _size(data)}
    show(sizes, "{bytes_before:,} bytes before, {bytes_after:,} after.".format(**sizes), as_json=as_json)


def _faults(engine: "Engine", folder: Path) -> list[str]:
    """Return what is damaged. Raises StoreFailed or PermissionError for what is only out of reach."""
    from s3vectors_local.cli.unusable import is_damage
    from s3vectors_local.errors import StoreFailed

    try:
        faults = engine.verify()
    except StoreFailed as error:
        if not is_damage(error):
            raise
        return [str(error.__cause__ or error)]
    if faults:
        _check_readable(folder)
    return faults


def _check_readable(folder: Path) -> None:
    """Raise PermissionError for rows that may not be read: the engine takes them for damaged."""
    rows = folder / "rows"
    for path in rows.iterdir() if rows.is_dir() else ():
        with suppress(FileNotFoundError):  # compacted meanwhile
            path.open("rb").close()


def _row(engine: "Engine", index: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "bucket": index.bucket,
        "index": index.name,
        "vectors": index.count,
        "dimension": index.dimension,
        "metric": str(index.metric),
        "mode": str(index.mode),
        "search": asdict(engine.search_state(index)),
    }


def _line(row: Mapping[str, Any]) -> str:
    state = row["search"]
    how = "every row is compared"
    if state["lists"]:
        how = (
            f"recall@10 {state['recall']:.3f}, {state['nprobe']} of {state['lists']} lists, "
            f"{state['candidates']} candidates, {state['pending']} rows since"
        )
    return "{bucket}/{index}  {vectors} vectors  {dimension} {metric} {mode}  ".format(**row) + how


def _size(folder: Path) -> int:
    # Blocks, not lengths: slabs are sparse.
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
