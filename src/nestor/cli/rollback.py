"""`nestor rollback`."""

from typing import Any

import click

from nestor.cli.output import print_json, say, with_progress
from nestor.settings import Settings


@click.command()
@click.argument("target")
@click.option("--all", "everything", is_flag=True, help="Also what a migration brought, not only what was added since.")
@click.option(
    "--layout",
    type=click.Choice(["folders", "flat"]),
    default="folders",
    show_default=True,
    help="folders: <index>/<asset>/segment_<n>.json; flat: <index>/<asset>_segment_<n>.json.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Assets at a time.")
@click.option("--keep-strategy", is_flag=True, help="Do not make `manual` the strategy of this home.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def rollback(
    settings: Settings, /, *, target: str, everything: bool, layout: str, jobs: int, keep_strategy: bool, as_json: bool
) -> int:
    """Write what the indexes hold back as the placeholder's objects; TARGET is a folder or s3://bucket/prefix.

    The indexes are only read. Afterwards this home searches TARGET by the manual strategy; `nestor migrate` takes that
    back. What is ingested later is found there after another rollback, which writes the same again and what is new.
    Exit code 1 when something could not be written back whole.
    """
    from nestor.wiring import Nestor

    with Nestor(settings, read_only=True) as nestor:
        work = nestor.rollback(target, layout=layout, jobs=jobs)
        assets, unfinished = work.assets(everything=everything), work.unfinished()
        work.check(assets)
        done = list(with_progress(work.run(assets), total=len(assets), label=lambda each: each.uri[-40:]))
        incomplete = [key for each in done for key in each.incomplete]
        if not keep_strategy:
            nestor.choose_manual(target)
    document: dict[str, Any] = {
        "target": target,
        "assets": len(done),
        "segments": sum(each.segments for each in done),
        "incomplete": incomplete,
        "unfinished": [manifest.uri for manifest in unfinished],
        "strategy": None if keep_strategy else "manual",
    }
    if as_json:
        print_json(document)
    else:
        click.echo(f"{document['assets']:,} assets ({document['segments']:,} segments) written to {target}.")
        if not keep_strategy:
            click.echo(f"This home searches by `nestor search --strategy manual --placeholder {target}` from now on.")
    if not keep_strategy:
        say("note: what is ingested from now on is found after the same `nestor rollback` again.")
    for manifest in unfinished:
        say(f"not written: {manifest.uri} is not stored to the end: ingest or delete it again.")
    for key in incomplete[:5]:
        say(f"not whole: {key} lacks a size: run `nestor doctor`.")
    return 1 if incomplete or unfinished else 0
