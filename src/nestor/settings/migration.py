"""What the environment decides for the two functions that move a placeholder."""

from dataclasses import dataclass

from nestor.settings.functions import MODEL_ID, FunctionSettings
from nestor.settings.variables import bucket, number, text


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateSettings(FunctionSettings):
    """Of `list_placeholder` and `migrate_assets`."""

    vector_bucket: str = bucket("VECTOR_BUCKET")
    placeholder: str = text("NESTOR_PLACEHOLDER")
    """`s3://bucket/prefix`."""
    work_bucket: str = bucket("NESTOR_WORK_BUCKET")
    state_bucket: str = bucket("NESTOR_STATE_BUCKET")
    model_id: str = text("NESTOR_MODEL_ID", MODEL_ID)
    """Whose embeddings these are where the objects do not tell."""
    readers: int = number("NESTOR_MIGRATE_READERS", 16, low=1, high=64)
    """Objects that one function reads at once."""
