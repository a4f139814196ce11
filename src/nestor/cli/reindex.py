"""`nestor reindex`."""

from typing import Any

import click

from nestor.cli.output import print_json, say, with_progress
from nestor.settings import Settings

_SIZES = click.Choice(["256", "384", "1024", "3072"])


@click.command()
@click.option("--add", type=_SIZES, multiple=True, help="Make and fill the index of this size.")
@click.option("--drop", type=_SIZES, multiple=True, help="Remove the index of this size.")
@click.option(
    "--codes/--no-codes", "with_codes", default=None, help="Give the rows of 256 and 384 codes, or take them away."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def reindex(
    settings: Settings, /, *, add: tuple[str, ...], drop: tuple[str, ...], with_codes: bool | None, as_json: bool
) -> None:
    """Add or drop indexes and codes, made from the index of 3072 components: nothing is embedded again.

    Files that are ingested later go into the same indexes. Interrupted? Run it again.
    """
    from nestor.wiring import Nestor

    with Nestor(settings) as nestor:
        work = nestor.reindex
        asked: dict[str, Any] = {
            "add": tuple(map(int, add)),
            "drop": tuple(map(int, drop)),
            "with_codes": with_codes,
        }
        work.check(**asked)
        total = nestor.library.counts((3072,)).vectors[3072]
        rows: dict[str, int] = {}
        batches = work.run(**asked)
        for done in with_progress(batches, total=-(-total // 500) or 1, label=lambda each: f"{each.dimension}d"):
            rows[f"embeddings-{done.dimension}d"] = rows.get(f"embeddings-{done.dimension}d", 0) + done.rows
        indexes = [f"embeddings-{size}d" for size in work.indexes()]
    if as_json:
        print_json({"written": rows, "indexes": indexes})
        return
    for name, count in rows.items():
        click.echo(f"{name}  {count:,} rows written")
    say(f"Indexes now: {', '.join(indexes)}.")
