"""What the environment decides for each function of the pipeline: one frozen value a function.

`VARIABLES` of each are the names that must be set; whoever sets up a function is held to them by a test.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from nestor.errors import InvalidInput
from nestor.settings.variables import Variables, bucket, choice, flag, number, optional, share, text

MODEL_ID = "amazon.nova-2-multimodal-embeddings-v1:0"
STRATEGIES = ("direct", "hierarchical", "refetch", "hybrid", "manual")
"""As in nestor.strategies, which knows more than names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """Of any function: its fields say which variables they are read from."""

    VARIABLES = Variables()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises InvalidInput naming the variable that is missing or makes no sense."""
        return cls(**{field.name: field.metadata["read"](environment) for field in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings(FunctionSettings):
    """Of `plan`: where things lie, how they are cut, and what goes which way."""

    vector_bucket: str = bucket("VECTOR_BUCKET")
    source_bucket: str = bucket("NESTOR_SOURCE_BUCKET")
    work_bucket: str = bucket("NESTOR_WORK_BUCKET")
    state_bucket: str = bucket("NESTOR_STATE_BUCKET")
    model_id: str = text("NESTOR_MODEL_ID", MODEL_ID)
    segment_seconds: int = number("NESTOR_SEGMENT_SECONDS", 5, low=1, high=30)
    segment_characters: int = number("NESTOR_SEGMENT_CHARACTERS", 1_000, low=800, high=50_000)
    batch_segments: int = number("NESTOR_BATCH_SEGMENTS", 8, low=1, high=100)
    """Texts in a batch; pages and pictures are half as many, for they are larger."""
    async_characters: int = number("NESTOR_ASYNC_CHARACTERS", 200_000, low=1, high=100_000_000)
    """A text at least this long is embedded by a job."""
    collection_from_prefix: bool = flag("NESTOR_COLLECTION_FROM_PREFIX")
    """The first folder of an object's key is its collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings(FunctionSettings):
    """Of `embed_sync`."""

    vector_bucket: str = bucket("VECTOR_BUCKET")
    source_bucket: str = bucket("NESTOR_SOURCE_BUCKET")
    work_bucket: str = bucket("NESTOR_WORK_BUCKET")
    model_id: str = text("NESTOR_MODEL_ID", MODEL_ID)
    requests_per_minute: int = number("NESTOR_REQUESTS_PER_MINUTE", 600, low=1, high=1_000_000)
    concurrency: int = number("NESTOR_CONCURRENCY", 4, low=1, high=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings(FunctionSettings):
    """Of `store_embeddings`."""

    vector_bucket: str = bucket("VECTOR_BUCKET")
    source_bucket: str = bucket("NESTOR_SOURCE_BUCKET")
    work_bucket: str = bucket("NESTOR_WORK_BUCKET")
    state_bucket: str = bucket("NESTOR_STATE_BUCKET")
    model_id: str = text("NESTOR_MODEL_ID", MODEL_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings(FunctionSettings):
    """Of `query_handler`."""

    vector_bucket: str = bucket("VECTOR_BUCKET")
    model_id: str = text("NESTOR_MODEL_ID", MODEL_ID)
    requests_per_minute: int = number("NESTOR_REQUESTS_PER_MINUTE", 600, low=1, high=1_000_000)
    concurrency: int = number("NESTOR_CONCURRENCY", 4, low=1, high=64)
    strategy: str = choice("NESTOR_STRATEGY", STRATEGIES[0], among=STRATEGIES)
    """Of questions that name none."""
    placeholder: str = optional("NESTOR_PLACEHOLDER")
    """What `manual` scans, `s3://bucket/prefix`."""
    questions_table: str = optional("NESTOR_QUESTIONS_TABLE")
    """DynamoDB table of embeddings of questions."""
    questions_days: int = number("NESTOR_QUESTIONS_DAYS", 30, low=1, high=3_650)
    """How long the table keeps one."""
    result_cache_seconds: int = number("NESTOR_RESULT_CACHE_SECONDS", 0, low=0, high=3_600)
    """How old an answer may be; 0 asks the indexes every time."""
    shadow_url: str = optional("NESTOR_SHADOW_URL")
    """Queue of shadow queries."""
    shadow_rate: float = share("NESTOR_SHADOW_RATE")
    """Which share of the questions goes there."""

    def __post_init__(self) -> None:
        """Refuse what can only fail later."""
        if self.placeholder and not self.placeholder.startswith("s3://"):
            raise InvalidInput(
                f"NESTOR_PLACEHOLDER is {self.placeholder!r}; it must be s3://bucket or s3://bucket/prefix."
            )
        if self.strategy == "manual" and not self.placeholder:
            raise InvalidInput("NESTOR_STRATEGY is 'manual', which scans a placeholder: set NESTOR_PLACEHOLDER, too.")
        if self.shadow_rate and not self.shadow_url:
            raise InvalidInput("NESTOR_SHADOW_RATE is set, and nobody says where to: set NESTOR_SHADOW_URL, too.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSettings(FunctionSettings):
    """Of `shadow_query`."""

    vector_bucket: str = bucket("VECTOR_BUCKET")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetSettings(FunctionSettings):
    """Of `forget`."""

    vector_bucket: str = bucket("VECTOR_BUCKET")
    source_bucket: str = bucket("NESTOR_SOURCE_BUCKET")
    work_bucket: str = bucket("NESTOR_WORK_BUCKET")
    state_bucket: str = bucket("NESTOR_STATE_BUCKET")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveSettings(FunctionSettings):
    """Of `redrive`."""

    dead_letters_url: str = text("NESTOR_DEAD_LETTERS_URL")
    state_machine_arn: str = text("NESTOR_STATE_MACHINE_ARN")
