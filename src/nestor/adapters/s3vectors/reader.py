"""Embeddings out of the answers of a boto3 `s3vectors` client as NumPy rows.

botocore reads a vector one number at a time, about a millisecond for one of 3,072. Here the vectors are taken out of
the body before botocore parses the rest of it, errors, tokens and headers, and are put into its answer. Where simdjson
is installed there is no Python float for a component; the small bundle of the functions leaves it out.
"""

from collections.abc import Mapping
from typing import Any, cast

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
        body = _read(response_dict["body"])
        vectors = [_vector(vector) for vector in body["vectors"]]
        rest = {name: _plain(body[name]) for name in body if name != "vectors"}  # items() would make all of it Python's
    except (ValueError, TypeError, KeyError, RuntimeError):
        return  # botocore judges what is not as it should be
    customized_response_dict["vectors"] = vectors
    response_dict["body"] = orjson.dumps(rest | {"vectors": []})


def _read(body: bytes) -> Mapping[str, Any]:
    """Return the document: of simdjson's own objects and arrays, or of Python's. Raises ValueError, RuntimeError."""
    try:
        import simdjson
    except ImportError:
        return cast(Mapping[str, Any], orjson.loads(body))
    return cast(Mapping[str, Any], simdjson.Parser().parse(body))


def _vector(vector: Mapping[str, Any]) -> dict[str, Any]:
    taken = {"key": vector["key"]}
    if (data := vector.get("data")) is not None:
        taken["data"] = {"float32": _row(data["float32"])}
    if (metadata := vector.get("metadata")) is not None:
        taken["metadata"] = _plain(metadata)
    return taken


def _row(numbers: Any) -> Embedding:
    row = np.frombuffer(numbers.as_buffer(of_type="d")) if hasattr(numbers, "as_buffer") else np.array(numbers)
    if row.ndim != 1:
        raise TypeError
    with np.errstate(over="ignore"):
        return row.astype(np.float32)


def _plain(member: Any) -> Any:
    """Return Python's own objects for those of simdjson."""
    for name in ("as_dict", "as_list"):
        if hasattr(member, name):
            return getattr(member, name)()
    return member
