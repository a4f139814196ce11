"""Amazon Nova Multimodal Embeddings through a boto3 `bedrock-runtime` client.

`requests` and `results` import no boto3, and this module only them: who plans a job need not load the client.
"""

from nestor.adapters.nova.requests import EMBEDDER_ID, MODEL_ID

__all__ = ["EMBEDDER_ID", "MODEL_ID"]
