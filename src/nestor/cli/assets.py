"""`nestor status`, `nestor assets` and `nestor delete`: what is stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.completion import stored
from nestor.cli.output import bytes_in_words, print_json, print_table, say, shorten, table, width
from nestor.cli.paths import PathType
from nestor.domain import DIMENSIONS, file_uri
from nestor.errors import InvalidInput
from nestor.settings import Settings

if TYPE_CHECKING:
    from nestor.library import Counts
    from nestor.wiring import Nestor


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def status(settings: Settings, /, *, as_json: bool) -> None:
    """Show what is stored, by modality and index, and which optional parts are there."""
    from nestor import media
    from nestor.wiring import Nestor

    with Nestor(settings, read_only=True) as nestor:
        counts = nestor.library.counts(DIMENSIONS)
    document = _status_document(settings, counts, media.extras())
    if as_json:
        print_json(document)
    else:
        _print_status(document)


def _status_document(settings: Settings, counts: "Counts", extras: dict[str, bool]) -> dict[str, Any]:
    return {
        "home": str(settings.home),
        "vectors": settings.endpoint_url or settings.vectors,
        "vector_bucket": settings.vector_bucket,
        "embedder": next(reversed(counts.embedders.values()), None),  # of the largest: others may be filled in part
        "assets": counts.assets,
        "segments": counts.segments,
        "indexes": {f"embeddings-{dimension}d": count for dimension, count in counts.vectors.items()},
        "unfinished": counts.unfinished,
        "failed": [{"uri": manifest.uri, "reason": manifest.reason} for manifest in counts.failed],
        "disk_bytes": sum(path.stat().st_size for path in settings.home.rglob("*") if path.is_file()),
        "extras": extras,
    }


def _print_status(document: dict[str, Any]) -> None:
    rows = table("modality", "assets", "segments", numbers=["assets", "segments"])
    for modality in sorted(document["assets"]):
        rows.add_row(modality, f"{document['assets'][modality]:,}", f"{document['segments'][modality]:,}")
    print_table(rows)
    indexes = table("index", "vectors", numbers=["vectors"])
    for name, count in document["indexes"].items():
        indexes.add_row(name, f"{count:,}")
    click.echo()
    print_table(indexes)
    click.echo()
    extras = ", ".join(f"{name} {'found' if found else 'not installed'}" for name, found in document["extras"].items())
    click.echo(f"home      {document['home']} ({bytes_in_words(document['disk_bytes'])})")
    click.echo(f"vectors   {document['vectors']}, bucket {document['vector_bucket']}")
    click.echo(f"embedder  {document['embedder'] or 'none yet'}")
    click.echo(f"extras    {extras} (off unless asked for)")
    if document["unfinished"]:
        say(f"{document['unfinished']} assets are unfinished: run the interrupted `nestor ingest` or `delete` again.")
    for failed in document["failed"]:
        say(f"not ingested: {failed['uri']}: {failed['reason']}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def assets(settings: Settings, /, *, as_json: bool) -> None:
    """List the stored assets."""
    from nestor.wiring import Nestor

    with Nestor(settings, read_only=True) as nestor:
        manifests = list(nestor.library.assets())
    if as_json:
        print_json({"assets": [{"object_id": each.object_id, **_fields(each)} for each in manifests]})
        return
    rows = table("status", "modality", "segments", "uri", numbers=["segments"], filling="uri")
    for each in manifests:
        rows.add_row(each.status, each.modality or "", str(each.segments), shorten(each.uri, width() - 35))
    print_table(rows)


def _fields(manifest: Any) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(manifest)


@click.command()
@click.argument("uris", nargs=-1, required=True, type=PathType(), shell_complete=stored)
@click.option("-r", "--recursive", is_flag=True, help="Remove everything in a folder, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def delete(settings: Settings, /, *, uris: tuple[str, ...], recursive: bool, as_json: bool) -> int:
    """Remove assets, given as paths or URIs: vectors of every size, thumbnails and manifest. Files stay.

    What is not stored is reported and the others are removed all the same; the exit code is then 2.
    """
    from nestor.wiring import Nestor

    deleted, missing = [], []
    with Nestor(settings) as nestor:
        for each in _addresses(nestor, uris, recursive=recursive):
            try:
                manifest = nestor.library.delete(each)
            except InvalidInput as error:
                missing.append(each)
                say(f"nestor: {error}")
            else:
                deleted.append({"uri": manifest.uri, "segments": manifest.segments})
                say(f"Deleted {manifest.uri} ({manifest.segments} segments).")
    if as_json:
        print_json({"deleted": deleted, "missing": missing})
    return 2 if missing else 0


def _addresses(nestor: "Nestor", uris: tuple[str, ...], *, recursive: bool) -> Iterator[str]:
    for uri in uris:
        address = uri if "://" in uri else file_uri(Path(uri))
        inside = [each.uri for each in nestor.library.below(address)] if recursive else []
        yield from inside or [address]
