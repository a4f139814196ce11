"""Options of several commands that change the settings."""

from dataclasses import replace

import click

from nestor.settings import EMBEDDERS, Settings

embedder_option = click.option(
    "--embedder",
    type=click.Choice(EMBEDDERS),
    help="local: in this process; nova: Amazon Bedrock, by your AWS credentials (default: $NESTOR_EMBEDDER or local).",
)


def with_embedder(settings: Settings, embedder: str | None) -> Settings:
    """Return the settings with the embedder that was asked for, or as they are."""
    return settings if embedder is None else replace(settings, embedder=embedder)
