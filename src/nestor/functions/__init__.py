"""The composition root of the functions: settings in, use cases out. What is heavy is imported when it is needed."""

from nestor.functions.clients import Clients
from nestor.functions.migration import migrated_batch, placeholder_inventory
from nestor.functions.pipeline import MAX_BYTES, asset_store, batch_embedder, dead_letters, forgetter, planner
from nestor.functions.questions import QUERY_ATTEMPTS, answers, search, shadow, shadows, strategy

__all__ = [
    "MAX_BYTES",
    "QUERY_ATTEMPTS",
    "Clients",
    "answers",
    "asset_store",
    "batch_embedder",
    "dead_letters",
    "forgetter",
    "migrated_batch",
    "placeholder_inventory",
    "planner",
    "search",
    "shadow",
    "shadows",
    "strategy",
]
