"""`nestor setup`: the bucket and the indexes."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json, say
from nestor.cli.settings import embedder_option, with_embedder
from nestor.settings import Settings

if TYPE_CHECKING:
    from nestor.adapters.s3vectors.setup import Part, SetUp


@click.command()
@embedder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def setup(settings: Settings, /, *, embedder: str | None, as_json: bool) -> int:
    """Make the vector bucket and the four indexes where they are missing, on whichever endpoint is set.

    Doing it again changes nothing, and nothing is ever deleted or replaced. What is there and differs from what Nestor
    needs is told, and gives exit code 1. An index that `nestor reindex --drop` removed stays away.
    """
    from nestor.wiring import Nestor

    with Nestor(with_embedder(settings, embedder)) as nestor:
        done = nestor.setup()
    if as_json:
        print_json(_document(settings, done))
    else:
        _print(done)
    return 1 if done.differs else 0


def _document(settings: Settings, done: "SetUp") -> dict[str, Any]:
    return {
        "vectors": settings.endpoint_url or settings.vectors,
        "vector_bucket": done.bucket,
        "embedder": done.embedder,
        "differs": done.differs,
        "parts": [{**asdict(part), "state": _state(part)} for part in done.parts],
    }


def _state(part: "Part") -> str:
    if part.differs:
        return "differs"
    if part.made:
        return "made"
    if part.absent:
        return "absent"
    return "changed" if part.changed else "unchanged"


def _print(done: "SetUp") -> None:
    for part in done.parts:
        click.echo(f"{part.name:<20} {_state(part):<10} {'; '.join((*part.differs, *part.changed))}".rstrip())
        for note in part.notes:
            say(f"note: {part.name} {note}.")
    if done.differs:
        say(
            "An index cannot be changed in these things, and none was: use another bucket ($VECTOR_BUCKET), or delete "
            "the index yourself and ingest again."
        )
