"""Embeddings out of the answers of a boto3 `s3vectors` client as NumPy rows.

botocore reads a vector one number at a time, about a millisecond for one of 3,072. Here the vectors are taken out of
the body before botocore parses the rest of it, errors, tokens and headers, and are put into its answer.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from nestor.domain import Embedding


def install(client: Any) -> None:
    """Make GetVectors and ListVectors of this client answer with rows of float32. Installing twice changes nothing."""
    on = client.meta.events
    for operation in ("GetVectors", "ListVectors"):
        on.register_last(f"before-parse.s3vectors.{operation}", _take, unique_id=f"nestor-read-{operation}")


def _take(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] != 200:
        return
    try:
        body = orjson.loads(response_dict["body"])
        vectors = [_vector(vector) for vector in body["vectors"]]
    except (ValueError, TypeError, KeyError):
        return  # botocore judges what is not as it should be
    customized_response_dict["vectors"] = vectors
    response_dict["body"] = orjson.dumps(body | {"vectors": []})


def _vector(vector: Mapping[str, Any]) -> dict[str, Any]:
    taken = {"key": vector["key"]}
    if vector.get("data") is not None:
        taken["data"] = {"float32": _row(vector["data"]["float32"])}
    if vector.get("metadata") is not None:
        taken["metadata"] = vector["metadata"]
    return taken


def _row(numbers: Any) -> Embedding:
    row = np.array(numbers)
    if row.ndim != 1:
        raise TypeError
    with np.errstate(over="ignore"):
        return row.astype(np.float32)
