"""The embedder that the settings name."""

from typing import TYPE_CHECKING

from nestor.settings import NOVA_MODEL_ID, Settings

if TYPE_CHECKING:
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.ports import Embedder


def nova(
    *,
    region: str | None = None,
    model_id: str = NOVA_MODEL_ID,
    requests_per_minute: int = 600,
    concurrency: int = 4,
    attempts: int = 6,
) -> "NovaEmbedder":
    """Return the embedder of Amazon Nova; botocore reads AWS_ENDPOINT_URL_BEDROCK_RUNTIME by itself.

    Each call is attempted that many times. Raises InvalidInput when no region is known, EmbeddingFailed when there are
    no credentials.
    """
    from nestor.adapters.nova.client import client
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.nova.pace import Pace

    pace = Pace(requests_per_minute=requests_per_minute, concurrency=concurrency, attempts=attempts)
    return NovaEmbedder(client(region=region, concurrency=concurrency), pace=pace, model_id=model_id)


def embedder(settings: Settings) -> "Embedder":
    """Return the embedder of these settings; raises as `nova` does."""
    if settings.embedder == "nova":
        return nova(
            region=settings.region,
            model_id=settings.model_id,
            requests_per_minute=settings.requests_per_minute,
            concurrency=settings.concurrency,
        )
    from nestor.adapters.local import LocalEmbedder

    return LocalEmbedder()
