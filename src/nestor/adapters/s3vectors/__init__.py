"""S3 Vectors through a boto3 client: the port `Vectors`, and a wire that takes NumPy rows."""

from nestor.adapters.s3vectors.store import S3Vectors
from nestor.adapters.s3vectors.wire import client_config, install

__all__ = ["S3Vectors", "client_config", "install"]
