"""What an index or a query must obey beyond the bounds of the service model. Pure."""

from collections.abc import Sequence

import numpy as np

from s3vectors_local import filters, limits, metadata
from s3vectors_local.errors import InvalidQueryVector, InvalidRecord, ValidationException
from s3vectors_local.filters import Tree
from s3vectors_local.model import Float32, Index, Metric, Mode, NewVector, Query


def check_vectors(index: Index, vectors: Sequence[NewVector]) -> None:
    """Raise InvalidRecord, or ValidationException, for the first vector that the index would refuse."""
    for place, vector in enumerate(vectors):
        path = f"vectors[{place}]"
        check_keys([vector.key])
        reason = _vector_fault(index, vector.data)
        if reason:
            raise InvalidRecord(reason, key=vector.key, path=path)
        metadata.check(vector.metadata, non_filterable=index.non_filterable, key=vector.key, path=f"{path}.metadata")


def check_keys(keys: Sequence[str]) -> None:
    """Raise ValidationException for a key of more bytes than the service takes."""
    for key in keys:
        if len(key.encode()) > limits.KEY_BYTES:
            raise ValidationException("Record key length exceeds the maximum allowed")


def check_each_once(keys: Sequence[str]) -> None:
    """Raise ValidationException when a key comes twice."""
    if len(set(keys)) < len(keys):
        raise ValidationException("Request must not contain duplicate keys")


def check_query(index: Index, query: Query) -> None:
    """Raise InvalidQueryVector, or ValidationException when there is nothing to search by."""
    reason = None if query.vector is None else _vector_fault(index, query.vector)
    if reason:
        raise InvalidQueryVector(reason)
    if query.vector is None and not query.texts:
        raise ValidationException("Must specify queryVector, queryTexts, or both")


def parsed_filter(index: Index, query: Query) -> Tree | None:
    """Return a query's filter, None without one. Raises InvalidFilter, ValidationException."""
    if query.mode is Mode.CLASSIC and index.mode is Mode.ENHANCED:
        raise ValidationException("CLASSIC query mode is not supported for an index in ENHANCED mode")
    if query.where is None:
        return None
    mode = query.mode or index.mode
    return filters.parse(query.where, non_filterable=index.non_filterable, mode=mode)


def refuse_classic(mode: Mode, what: str) -> None:
    """Raise ValidationException for the mode that this engine does not offer."""
    # Every bucket of this engine is new, and buckets made since 2026-09-30 offer ENHANCED only.
    if mode is Mode.CLASSIC:
        raise ValidationException(f"CLASSIC index mode is not supported for this {what}")


def _vector_fault(index: Index, data: Float32) -> str | None:
    if data.shape != (index.dimension,):
        return f"vector must have length {index.dimension}, but has length {data.size}"
    if not np.isfinite(data).all():
        return "vector contains NaNs or Infs"
    if index.metric is Metric.COSINE and not data.any():
        return "cosine distance does not support vectors with zero norm"
    return None
