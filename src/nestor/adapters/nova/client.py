"""The boto3 client that NovaEmbedder speaks through."""

from typing import Any

from nestor.adapters.nova.errors import CREDENTIALS
from nestor.errors import EmbeddingFailed, InvalidInput


def client(*, region: str | None = None, endpoint_url: str | None = None, concurrency: int = 4) -> Any:
    """Return a `bedrock-runtime` client that makes every call once: who retries is Pace.

    Raises InvalidInput when no region is known, EmbeddingFailed when there are no credentials.
    """
    import boto3
    from botocore.config import Config

    session = boto3.session.Session(region_name=region)
    if session.region_name is None:
        raise InvalidInput("No AWS region is known for Amazon Nova: set AWS_REGION (us-east-1 has the model).")
    if session.get_credentials() is None:
        raise EmbeddingFailed(CREDENTIALS)
    config = Config(
        connect_timeout=5.0,
        read_timeout=60.0,
        max_pool_connections=concurrency,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )
    return session.client("bedrock-runtime", endpoint_url=endpoint_url, config=config)
