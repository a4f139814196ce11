"""`list_placeholder` cuts the placeholder into batches; `migrate_assets` brings one of them into the four indexes."""

from typing import Any

from nestor import functions
from nestor.errors import InvalidInput
from nestor.handlers._runtime import Event, Tools, entry, member
from nestor.settings.migration import MigrateSettings

TOLD = 50
"""Damaged objects in an answer at most: a state machine passes on 256 KiB, and the work bucket has all of them."""
MESSAGE = 200
"""Characters of each."""


@entry("list_placeholder")
def inventory(event: Event, tools: Tools) -> dict[str, Any]:
    """Return where the batches are and how many; the event is {"run", "embedder"?}, the embedder if it is to be told.

    Raises EmbedderMismatch before anything is moved when the indexes belong to another embedder.
    """
    settings = MigrateSettings.from_environment()
    embedder = event.get("embedder")
    if embedder is not None and not isinstance(embedder, str):
        raise InvalidInput(f"The event's embedder is {embedder!r}; it must be a str or null.")
    taken = functions.placeholder_inventory(settings, tools.clients, run=member(event, "run", str), embedder=embedder)
    survey = taken.survey
    tools.log("listed", objects=survey.objects, assets=survey.assets, batches=taken.batches)
    return {
        "objects": survey.objects,
        "assets": survey.assets,
        "older": survey.older,
        "twice": survey.twice,
        "ignored": survey.ignored_count,
        "embedder": taken.embedder,
        "prefix": taken.prefix,
        "batches": taken.batches,
    }


@entry("migrate_assets")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Return what became of the assets of a batch; the event is {"batch_key", "embedder"}, as the inventory told."""
    settings = MigrateSettings.from_environment()
    key = member(event, "batch_key", str)
    moves = functions.migrated_batch(settings, tools.clients, key=key, embedder=member(event, "embedder", str))
    outcomes = {outcome.value: count for outcome, count in moves.outcomes.items()}
    tools.count("SegmentsMigrated", moves.segments)
    tools.count("ObjectsQuarantined", len(moves.damaged))
    tools.log("migrated", batch_key=key, segments=moves.segments, quarantined=len(moves.damaged), **outcomes)
    return {
        "batch_key": key,
        **{name: outcomes.get(name, 0) for name in ("stored", "unchanged", "kept", "empty")},
        "segments": moves.segments,
        "derived": moves.derived,
        "quarantined": len(moves.damaged),
        "damaged": [
            {"path": each.path, "reason": each.name, "message": each.message[:MESSAGE]} for each in moves.damaged[:TOLD]
        ],
    }
