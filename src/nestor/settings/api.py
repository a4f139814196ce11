"""What the environment decides for `api`, the application behind the HTTP API."""

from dataclasses import dataclass

from nestor.settings.functions import QuerySettings
from nestor.settings.variables import bucket, flag, optional


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings(QuerySettings):
    """Of `api`: what answers questions, and where files and manifests lie."""

    source_bucket: str = bucket("NESTOR_SOURCE_BUCKET")
    state_bucket: str = bucket("NESTOR_STATE_BUCKET")
    collection_from_prefix: bool = flag("NESTOR_COLLECTION_FROM_PREFIX")
    """The first folder of an object's key is its collection."""
    allowed_origins: str = optional("NESTOR_ALLOWED_ORIGINS")
    """Other pages that may ask, such as `https://search.example.com`, with spaces between them."""
    chat_model: str = optional("NESTOR_CHAT_MODEL")
    """Who answers POST /chat, a model of Amazon Bedrock; empty for quotations alone."""
