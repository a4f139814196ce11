"""`embed_sync`: embeds one batch of segments."""

from nestor import functions
from nestor.handlers._runtime import Event, Tools, entry, member
from nestor.settings.functions import EmbedSettings


@entry("embed_sync")
def handler(event: Event, tools: Tools) -> dict[str, int]:
    """Return how many segments were embedded and refused; the event is {"plan_key", "first", "last"}."""
    from nestor.pipeline.work import Batch

    settings = EmbedSettings.from_environment()
    embedder = functions.batch_embedder(settings, tools.clients)
    plan_key = member(event, "plan_key", str)
    counted = embedder.embed(plan_key, Batch(member(event, "first", int), member(event, "last", int)))
    tools.count("SegmentsEmbedded", counted.embedded)
    tools.count("SegmentsRefused", counted.refused)
    tools.log("embedded", plan_key=plan_key, embedded=counted.embedded, refused=counted.refused)
    return {"embedded": counted.embedded, "refused": counted.refused}
