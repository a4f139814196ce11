"""What the environment decides, read once into a frozen value; os.environ is read nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nestor.errors import InvalidInput
from nestor.settings.variables import read_share

DEFAULT_HOME = Path("~/.nestor")
NOVA_MODEL_ID = "amazon.nova-2-multimodal-embeddings-v1:0"
EMBEDDERS = ("local", "nova")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are kept and which S3 Vectors is spoken to."""

    home: Path
    """Folder of the embedded engine's data, the manifests and the thumbnails."""
    vector_bucket: str = "nestor"
    vectors: str = "embedded"
    """`embedded` (in this process, data in `home`) or `aws` (the account's service, or `endpoint_url`)."""
    endpoint_url: str | None = None
    """Another S3-Vectors-compatible endpoint; implies `aws`."""
    region: str | None = None
    embedder: str = "local"
    """`local` (in this process) or `nova` (Amazon Bedrock, with the AWS credentials of the environment)."""
    model_id: str = NOVA_MODEL_ID
    """What `nova` asks Bedrock for: a model id, or the ARN of an inference profile of it."""
    requests_per_minute: int = 600
    """Most calls to Bedrock in a minute; what an account may do stands in its Service Quotas."""
    concurrency: int = 4
    """Calls to Bedrock at a time."""
    question_cache: bool | None = None
    """Whether embeddings of questions are kept in a file of the home; None for whether asking anew costs money."""
    result_cache_seconds: int = 0
    """How old an answer may be; 0 asks the indexes every time."""
    shadow_rate: float = 0.0
    """Which share of the questions to the page is asked again, exactly, to know the recall."""
    chat_model: str = ""
    """Who answers in `nestor chat`: a model of Amazon Bedrock, or of `chat_url`; empty for quotations alone."""
    chat_url: str = ""
    """Base address of an OpenAI-compatible service, such as http://127.0.0.1:11434/v1."""
    chat_key_file: Path | None = None
    """File that holds the key of that service."""
    chat_pictures: bool = True
    """Whether the model is shown pictures and pages."""

    def __post_init__(self) -> None:
        """Refuse an embedder of no meaning."""
        if self.embedder not in EMBEDDERS:
            raise InvalidInput(f"NESTOR_EMBEDDER is {self.embedder!r}; it must be 'local' or 'nova'.")
        if (self.chat_url or self.chat_key_file) and not self.chat_model:
            raise InvalidInput("NESTOR_CHAT_URL or NESTOR_CHAT_KEY_FILE is set: name a model in NESTOR_CHAT_MODEL.")
        if self.chat_key_file and not self.chat_url:
            raise InvalidInput("NESTOR_CHAT_KEY_FILE is for NESTOR_CHAT_URL; Amazon Bedrock takes AWS credentials.")

    @property
    def reports(self) -> Path:
        """Folder of the reports of comparisons."""
        return self.home / "reports"

    @property
    def keeps_questions(self) -> bool:
        """Whether embeddings of questions are kept in a file."""
        return self.embedder == "nova" if self.question_cache is None else self.question_cache

    @classmethod
    def from_environment(cls, *, home: Path | None = None, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read NESTOR_HOME, VECTOR_BUCKET, NESTOR_VECTORS, NESTOR_ENDPOINT_URL, AWS_REGION, NESTOR_EMBEDDER and Nova's.

        Nova's are NESTOR_MODEL_ID, NESTOR_REQUESTS_PER_MINUTE and NESTOR_CONCURRENCY; of the search there are
        NESTOR_QUESTION_CACHE, NESTOR_RESULT_CACHE_SECONDS and NESTOR_SHADOW_RATE; of the chat NESTOR_CHAT_MODEL,
        NESTOR_CHAT_URL, NESTOR_CHAT_KEY_FILE and NESTOR_CHAT_PICTURES. `home` given by the caller wins over
        NESTOR_HOME. Raises InvalidInput for a value that makes no sense.
        """
        endpoint_url = environment.get("NESTOR_ENDPOINT_URL") or None
        vectors = environment.get("NESTOR_VECTORS") or ("aws" if endpoint_url else "embedded")
        if vectors not in {"embedded", "aws"}:
            raise InvalidInput(f"NESTOR_VECTORS is {vectors!r}; it must be 'embedded' or 'aws'.")
        if endpoint_url and vectors == "embedded":
            raise InvalidInput("NESTOR_ENDPOINT_URL is set and NESTOR_VECTORS is 'embedded': unset one of them.")
        return cls(
            home=(home or Path(environment.get("NESTOR_HOME") or DEFAULT_HOME)).expanduser().absolute(),
            vector_bucket=environment.get("VECTOR_BUCKET") or "nestor",
            vectors=vectors,
            endpoint_url=endpoint_url,
            region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None,
            embedder=environment.get("NESTOR_EMBEDDER") or "local",
            model_id=environment.get("NESTOR_MODEL_ID") or NOVA_MODEL_ID,
            requests_per_minute=_count(environment, "NESTOR_REQUESTS_PER_MINUTE", default=600, most=100_000),
            concurrency=_count(environment, "NESTOR_CONCURRENCY", default=4, most=64),
            question_cache=_switch(environment, "NESTOR_QUESTION_CACHE"),
            result_cache_seconds=_count(environment, "NESTOR_RESULT_CACHE_SECONDS", default=0, least=0, most=3_600),
            shadow_rate=read_share(environment.get("NESTOR_SHADOW_RATE") or "0", "NESTOR_SHADOW_RATE"),
            chat_model=environment.get("NESTOR_CHAT_MODEL") or "",
            chat_url=environment.get("NESTOR_CHAT_URL") or "",
            chat_key_file=_path(environment, "NESTOR_CHAT_KEY_FILE"),
            chat_pictures=_switch(environment, "NESTOR_CHAT_PICTURES") is not False,
        )


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name)
    return Path(text).expanduser() if text else None


def _switch(environment: Mapping[str, str], name: str) -> bool | None:
    text = environment.get(name) or None
    if text not in {None, "on", "off"}:
        raise InvalidInput(f"{name} is {text!r}; it must be 'on' or 'off'.")
    return None if text is None else text == "on"


def _count(environment: Mapping[str, str], name: str, *, default: int, most: int, least: int = 1) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise InvalidInput(f"{name} is {text!r}; it must be a whole number from {least} to {most:,}.")
    return int(text)
