"""What each function may do in the vector bucket, by the agreement that the templates are held to."""

from collections.abc import Mapping, Sequence
from typing import Any

BUCKET = "nestor-system"
ACCOUNT = "123456789012"
REGION = "us-east-1"
INDEX = f"arn:aws:s3vectors:{REGION}:{ACCOUNT}:bucket/{BUCKET}/index/embeddings-"
INDEXES = [f"{INDEX}{dimension}d" for dimension in (256, 384, 1024, 3072)]

GRANTED: Mapping[str, Sequence[str]] = {
    "plan": ("s3vectors:GetIndex", "s3vectors:ListTagsForResource"),
    "embed_sync": (),
    "store_embeddings": ("s3vectors:PutVectors", "s3vectors:DeleteVectors"),
    "query_handler": (
        "s3vectors:QueryVectors",
        "s3vectors:GetVectors",
        "s3vectors:GetIndex",
        "s3vectors:ListTagsForResource",
    ),
    "api": (
        "s3vectors:QueryVectors",
        "s3vectors:GetVectors",
        "s3vectors:GetIndex",
        "s3vectors:ListTagsForResource",
    ),
    "shadow_query": ("s3vectors:QueryVectors", "s3vectors:GetVectors"),
    "list_placeholder": ("s3vectors:GetIndex", "s3vectors:ListTagsForResource"),
    "migrate_assets": (
        "s3vectors:GetIndex",
        "s3vectors:ListTagsForResource",
        "s3vectors:PutVectors",
        "s3vectors:DeleteVectors",
    ),
    "forget": ("s3vectors:DeleteVectors",),
    "redrive": (),
}

ELSEWHERE = frozenset({"shadow_query", "list_placeholder", "migrate_assets"})
"""Functions that an upload and a question do not call: see test_grants."""

CASES = [(function, action) for function, actions in GRANTED.items() if function not in ELSEWHERE for action in actions]


def key_of(function: str, without: str = "") -> str:
    """Return the access key id under which a function runs, with one of its actions taken away if one is named."""
    return f"{function}-{without.rpartition(':')[2]}".rstrip("-").replace("_", "-").upper()


def policy(actions: Sequence[str], resources: Sequence[str] = INDEXES) -> dict[str, Any]:
    """Return an identity policy; none of its own where nothing is granted."""
    statement = [{"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}] if actions else []
    return {"Version": "2012-10-17", "Statement": statement}
