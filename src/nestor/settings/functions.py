"""What the environment decides for each function of the pipeline: one frozen value a function.

`VARIABLES` of each are the names that must be set; whoever sets up a function is held to them by a test.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from nestor.errors import InvalidInput

MODEL_ID = "amazon.nova-2-multimodal-embeddings-v1:0"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """Of `plan`: where things lie, how they are cut, and what goes which way."""

    VARIABLES: ClassVar = ("VECTOR_BUCKET", "NESTOR_SOURCE_BUCKET", "NESTOR_WORK_BUCKET", "NESTOR_STATE_BUCKET")

    vector_bucket: str
    source_bucket: str
    work_bucket: str
    state_bucket: str
    model_id: str = MODEL_ID
    segment_seconds: int = 5
    segment_characters: int = 1_000
    batch_segments: int = 8
    """Texts in a batch; pages and pictures are half as many, for they are larger."""
    async_characters: int = 200_000
    """A text at least this long is embedded by a job."""
    collection_from_prefix: bool = False
    """The first folder of an object's key is its collection."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises InvalidInput naming the variable that is missing or makes no sense."""
        read = _Reader(environment)
        return cls(
            vector_bucket=read.bucket("VECTOR_BUCKET"),
            source_bucket=read.bucket("NESTOR_SOURCE_BUCKET"),
            work_bucket=read.bucket("NESTOR_WORK_BUCKET"),
            state_bucket=read.bucket("NESTOR_STATE_BUCKET"),
            model_id=read.text("NESTOR_MODEL_ID", MODEL_ID),
            segment_seconds=read.number("NESTOR_SEGMENT_SECONDS", 5, low=1, high=30),
            segment_characters=read.number("NESTOR_SEGMENT_CHARACTERS", 1_000, low=800, high=50_000),
            batch_segments=read.number("NESTOR_BATCH_SEGMENTS", 8, low=1, high=100),
            async_characters=read.number("NESTOR_ASYNC_CHARACTERS", 200_000, low=1, high=100_000_000),
            collection_from_prefix=read.flag("NESTOR_COLLECTION_FROM_PREFIX"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings:
    """Of `embed_sync`."""

    VARIABLES: ClassVar = ("VECTOR_BUCKET", "NESTOR_SOURCE_BUCKET", "NESTOR_WORK_BUCKET")

    vector_bucket: str
    source_bucket: str
    work_bucket: str
    model_id: str = MODEL_ID
    requests_per_minute: int = 600
    concurrency: int = 4

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises InvalidInput naming the variable that is missing or makes no sense."""
        read = _Reader(environment)
        return cls(
            vector_bucket=read.bucket("VECTOR_BUCKET"),
            source_bucket=read.bucket("NESTOR_SOURCE_BUCKET"),
            work_bucket=read.bucket("NESTOR_WORK_BUCKET"),
            model_id=read.text("NESTOR_MODEL_ID", MODEL_ID),
            requests_per_minute=read.number("NESTOR_REQUESTS_PER_MINUTE", 600, low=1, high=1_000_000),
            concurrency=read.number("NESTOR_CONCURRENCY", 4, low=1, high=64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Of `store_embeddings`."""

    VARIABLES: ClassVar = ("VECTOR_BUCKET", "NESTOR_SOURCE_BUCKET", "NESTOR_WORK_BUCKET", "NESTOR_STATE_BUCKET")

    vector_bucket: str
    source_bucket: str
    work_bucket: str
    state_bucket: str
    model_id: str = MODEL_ID

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises InvalidInput naming the variable that is missing or makes no sense."""
        read = _Reader(environment)
        return cls(
            vector_bucket=read.bucket("VECTOR_BUCKET"),
            source_bucket=read.bucket("NESTOR_SOURCE_BUCKET"),
            work_bucket=read.bucket("NESTOR_WORK_BUCKET"),
            state_bucket=read.bucket("NESTOR_STATE_BUCKET"),
            model_id=read.text("NESTOR_MODEL_ID", MODEL_ID),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings:
    """Of `query_handler`."""

    VARIABLES: ClassVar = ("VECTOR_BUCKET",)

    vector_bucket: str
    model_id: str = MODEL_ID
    requests_per_minute: int = 600
    concurrency: int = 4

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises InvalidInput naming the variable that is missing or makes no sense."""
        read = _Reader(environment)
        return cls(
            vector_bucket=read.bucket("VECTOR_BUCKET"),
            model_id=read.text("NESTOR_MODEL_ID", MODEL_ID),
            requests_per_minute=read.number("NESTOR_REQUESTS_PER_MINUTE", 600, low=1, high=1_000_000),
            concurrency=read.number("NESTOR_CONCURRENCY", 4, low=1, high=64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetSettings:
    """Of `forget`."""

    VARIABLES: ClassVar = ("VECTOR_BUCKET", "NESTOR_SOURCE_BUCKET", "NESTOR_WORK_BUCKET", "NESTOR_STATE_BUCKET")

    vector_bucket: str
    source_bucket: str
    work_bucket: str
    state_bucket: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises InvalidInput naming the variable that is missing or makes no sense."""
        read = _Reader(environment)
        return cls(
            vector_bucket=read.bucket("VECTOR_BUCKET"),
            source_bucket=read.bucket("NESTOR_SOURCE_BUCKET"),
            work_bucket=read.bucket("NESTOR_WORK_BUCKET"),
            state_bucket=read.bucket("NESTOR_STATE_BUCKET"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveSettings:
    """Of `redrive`."""

    VARIABLES: ClassVar = ("NESTOR_DEAD_LETTERS_URL", "NESTOR_STATE_MACHINE_ARN")

    dead_letters_url: str
    state_machine_arn: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises InvalidInput naming the variable that is missing."""
        read = _Reader(environment)
        return cls(
            dead_letters_url=read.text("NESTOR_DEAD_LETTERS_URL"),
            state_machine_arn=read.text("NESTOR_STATE_MACHINE_ARN"),
        )


class _Reader:
    """Variables as values; every complaint names the variable."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str = "") -> str:
        value = self._environment.get(name, "").strip() or default
        if not value:
            raise InvalidInput(f"The environment variable {name} is missing or empty: set it for this function.")
        return value

    def bucket(self, name: str) -> str:
        value = self.text(name)
        if not _BUCKET.fullmatch(value):
            raise InvalidInput(f"{name} is {value!r}, which is no bucket name: give the name, no ARN and no address.")
        return value

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not low <= int(value) <= high:
            raise InvalidInput(f"{name} is {value!r}; it must be a whole number from {low:,} to {high:,}.")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self.text(name, "false").lower()
        if value not in {"true", "false"}:
            raise InvalidInput(f"{name} is {value!r}; it must be 'true' or 'false'.")
        return value == "true"
