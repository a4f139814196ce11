"""`nestor migrate`."""

from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json, say, with_progress
from nestor.cli.settings import with_embedder
from nestor.errors import InvalidInput
from nestor.settings import EMBEDDERS, Settings

if TYPE_CHECKING:
    from nestor.migration.survey import Survey


@click.command()
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Read and check everything, store nothing, and tell what would be done.")
@click.option(
    "--embedder",
    type=click.Choice(EMBEDDERS),
    help="Which embedder made the embeddings (default: the one that the objects name, nova where they name none).",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Batches at a time.")
@click.option(
    "--vectors-per-second",
    type=click.FloatRange(min=1),
    help="Most that an index is sent (default: 2,500 for AWS, no limit elsewhere).",
)
@click.option("--sample", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Segments to verify.")
@click.option("--no-verify", is_flag=True, help="Leave the comparison with the placeholder out.")
@click.option("--recheck", is_flag=True, help="Read again what an earlier run stored, and store what has changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def migrate(
    settings: Settings,
    /,
    *,
    source: str,
    dry_run: bool,
    embedder: str | None,
    jobs: int,
    vectors_per_second: float | None,
    sample: int,
    no_verify: bool,
    recheck: bool,
    as_json: bool,
) -> int:
    """Move the embeddings of a placeholder into the four indexes; SOURCE is a folder or s3://bucket/prefix.

    SOURCE is only read. What is damaged is set aside and listed, and the rest goes on. Interrupted? Run it again: it
    goes on where it stopped. Exit code 1 when something was set aside or the verification failed.
    """
    from nestor.wiring import Nestor

    with Nestor(with_embedder(settings, embedder), read_only=dry_run) as nestor:
        moving = nestor.migration(
            source, told=embedder is not None, jobs=jobs, per_second=vectors_per_second, dry_run=dry_run
        )
        say(f"Looking at {source} ...")
        survey = moving.look()
        say(f"{survey.objects:,} embeddings of {survey.assets:,} assets; {survey.ignored_count:,} other objects.")
        _check_found(survey, source)
        for _ in with_progress(moving.run(recheck=recheck), total=survey.assets, label=lambda moved: moved.uri[-40:]):
            pass
        if not (dry_run or no_verify):
            say("Comparing what is stored with the placeholder ...")
            moving.verify(sample=sample)
        document = moving.report()
        well = not document["total"]["quarantined"] and (document["verification"] or {"holds": True})["holds"]
        if well and not dry_run and nestor.strategy_forgotten():
            say("This home searches the indexes again, no longer by the manual strategy.")
    if as_json:
        print_json(document)
    else:
        _print(document)
    return 0 if well else 1


def _check_found(survey: "Survey", source: str) -> None:
    if survey.objects:
        return
    instead = f" (but {survey.ignored[0]}, for one)" if survey.ignored else ""
    raise InvalidInput(
        f"{source} holds no embedding of a placeholder{instead}: they lie below it at "
        "embeddings-<d>d/<asset>/segment_<n>.json or embeddings-<d>d/<asset>_segment_<n>.json. Nothing was changed."
    )


def _print(document: dict[str, Any]) -> None:
    found, total = document["found"], document["total"]
    for path in found["ignored"][:3]:
        say(f"note: {path} is no embedding of the placeholder.")
    for name, count in (("an earlier upload of the same file", found["older"]), ("the other layout", found["twice"])):
        if count:
            say(f"note: {count:,} objects are of {name}, and were left.")
    for reason, count in total["quarantined"].items():
        say(f"set aside: {count:,} objects ({reason}).")
    for name, count in total["trimmed"].items():
        say(f"left out or cut: {name} of {count:,} segments.")
    if total["differs"]:
        say(f"note: {sum(total['differs'].values()):,} embeddings are no prefixes of the largest size.")
    assets, seconds = document["assets"], document["took_seconds"]
    verb = "would be stored" if document["dry_run"] else "stored"
    click.echo(
        f"{assets['stored']:,} assets {verb} ({document['segments']:,} segments), {assets['unchanged']:,} unchanged, "
        f"{assets['kept']:,} kept as they are, {assets['empty']:,} without a sound segment, in {seconds:,.1f} s."
    )
    if document["dry_run"]:
        click.echo(f"Storing takes at least {document['at_least_seconds']:,.0f} s at the write limit.")
    if checked := document["verification"]:
        _print_verification(checked)
    click.echo(f"Lists: {document['folder']}")


def _print_verification(checked: dict[str, Any]) -> None:
    sizes, missing, unequal = len(checked["missing"]), sum(checked["missing"].values()), len(checked["unequal"])
    agreement = ", ".join(f"{size}: {share:.1%}" for size, share in checked["agreement"].items())
    click.echo(
        f"Verified: {missing:,} of {sizes} x {checked['stored']:,} rows missing, {unequal:,} embeddings unequal "
        f"among {sizes} x {checked['compared']:,}; agreement with the old scan over {checked['scanned']:,} segments "
        f"{agreement}."
    )
    if not checked["holds"]:
        say("The verification failed: run the same command with --recheck.")
