"""`nestor doctor`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json
from nestor.cli.settings import embedder_option, with_embedder
from nestor.settings import Settings

if TYPE_CHECKING:
    from nestor.doctor import Health


@click.command()
@embedder_option
@click.option("--state-bucket", help="Examine what the stacks ingested: the bucket of their manifests.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def doctor(settings: Settings, /, *, embedder: str | None, state_bucket: str | None, as_json: bool) -> int:
    """Examine the indexes and what belongs to them, and say how to mend what is wrong. Nothing is changed.

    Looked at: indexes, dimensions, distances, keys that must not be filterable, embedder, permissions, counts equal at
    the four sizes, keys without an asset and assets without keys. Exit code 1 when something is wrong.
    """
    from nestor.wiring import Nestor

    with Nestor(with_embedder(settings, embedder), read_only=True) as nestor:
        health = nestor.doctor(state_bucket=state_bucket).examine(writing=settings.vectors == "aws")
    document = {
        "well": health.well,
        "vectors": settings.endpoint_url or settings.vectors,
        "vector_bucket": settings.vector_bucket,
        "checks": list(health.checks),
        "indexes": {f"embeddings-{size}d": count for size, count in health.vectors.items()},
        "findings": [asdict(finding) for finding in health.findings],
    }
    if as_json:
        print_json(document)
    else:
        _print(health, document)
    return 0 if health.well else 1


def _print(health: "Health", document: dict[str, Any]) -> None:
    for check in health.checks:
        found = [finding for finding in health.findings if finding.check == check]
        click.echo(f"{check:<12} {'wrong' if any(each.wrong for each in found) else 'well'}")
        for each in found:
            click.echo(f"  {each.what}\n    {each.mend}")
    for name, count in document["indexes"].items():
        click.echo(f"{name:<17} {count:,} vectors")
