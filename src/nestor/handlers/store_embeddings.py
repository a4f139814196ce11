"""`store_embeddings`: puts the embeddings of one plan into the four indexes."""

from typing import Any

from nestor import functions
from nestor.handlers._runtime import Event, Tools, entry, member
from nestor.settings.functions import StoreSettings

REFUSALS = 100
"""Told in an answer at most: a state machine passes on 256 KiB."""
MESSAGE = 200
"""Characters of each."""


@entry("store_embeddings")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Return the outcome; the event is {"plan_key", "output_uri"?, "attempt"?}, output_uri where a job embedded."""
    from nestor.pipeline.store import Outcome

    settings = StoreSettings.from_environment()
    plan_key = member(event, "plan_key", str)
    stored = functions.asset_store(settings, tools.clients).store(
        plan_key, job_uri=event.get("output_uri") or None, attempt=int(event.get("attempt") or 0)
    )
    tools.count(f"Outcome{stored.outcome.value.title()}")
    tools.count("StoredSegments", stored.segments - len(stored.refused))
    tools.count("FailedSegments", len(stored.refused))
    tools.log(stored.outcome.value, plan_key=plan_key, segments=stored.segments, refused=len(stored.refused))
    answer: dict[str, Any] = {"outcome": stored.outcome.value}
    if stored.outcome is Outcome.STORED:
        answer |= {
            "segments": stored.segments,
            "refused": [
                {"segment": each.segment, "reason": each.reason, "message": each.message[:MESSAGE]}
                for each in stored.refused[:REFUSALS]
            ],
        }
    elif stored.outcome is Outcome.RETRY:
        answer["batches"] = [{"first": batch.first, "last": batch.last} for batch in stored.batches]
    return answer
