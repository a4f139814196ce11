"""Operations on vectors."""

from typing import Any

import numpy as np
import orjson

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.errors import ValidationException
from s3vectors_local.model import Hit, Mode, NewVector, Query, QueryText, Scores, StoredVector
from s3vectors_local.operations import references
from s3vectors_local.operations.shapes import Members

Answer = dict[str, Any]
_NO_ROW = np.empty(0, np.float32)


def put_vectors(engine: Engine, members: Members) -> Answer:
    """PutVectors."""
    vectors = [_new(item) for item in members.structures("vectors", count=limits.PUT_VECTORS, required=True)]
    engine.put_vectors(*references.index(engine, members), vectors)
    return {}


def get_vectors(engine: Engine, members: Members) -> Answer:
    """GetVectors."""
    keys = members.texts("keys", count=limits.GET_KEYS, length=limits.KEY_LENGTH, required=True)
    data, metadata = members.flag("returnData"), members.flag("returnMetadata")
    vectors = engine.get_vectors(*references.index(engine, members), keys, data=data, metadata=metadata)
    return {"vectors": [_stored(vector) for vector in vectors]}


def delete_vectors(engine: Engine, members: Members) -> Answer:
    """DeleteVectors."""
    keys = members.texts("keys", count=limits.DELETE_KEYS, length=limits.KEY_LENGTH, required=True)
    engine.delete_vectors(*references.index(engine, members), keys)
    return {}


def list_vectors(engine: Engine, members: Members) -> Answer:
    """ListVectors."""
    limit = members.number("maxResults", bounds=limits.LIST_VECTORS) or limits.LIST_VECTORS_DEFAULT
    token = members.text("nextToken", length=limits.LIST_VECTORS_TOKEN_LENGTH)
    data, metadata = members.flag("returnData"), members.flag("returnMetadata")
    count = members.number("segmentCount", bounds=limits.SEGMENT_COUNT)
    number = members.number("segmentIndex", bounds=limits.SEGMENT_INDEX)
    index = references.index(engine, members)
    segment = _segment(count, number)
    page = engine.list_vectors(*index, limit=limit, token=token, segment=segment, data=data, metadata=metadata)
    return {"vectors": [_stored(vector) for vector in page.items], "nextToken": page.next_token}


def query_vectors(engine: Engine, members: Members) -> Answer:
    """QueryVectors."""
    top_k = members.needed_number("topK", bounds=limits.TOP_K, open_above=True)
    query = members.vector("queryVector")
    mode = members.text("queryMode", choices=tuple(Mode))
    token = members.text("nextToken", length=limits.QUERY_TOKEN_LENGTH)
    texts = tuple(_query_text(item) for item in members.structures("queryTexts", count=limits.QUERY_TEXTS))
    index = references.index(engine, members)
    search = Query(
        query,
        top_k,
        members.document("filter"),
        Mode(mode) if mode else None,
        metadata=members.flag("returnMetadata"),
        distance=members.flag("returnDistance"),
        texts=texts,
        scores=members.flag("returnScores"),
    )
    page, metric = engine.query_vectors(*index, search, token=token)
    hits = [_hit(hit, search) for hit in page.items]
    return {"vectors": hits, "distanceMetric": metric, "nextToken": page.next_token}


def _new(item: Members) -> NewVector:
    key = item.needed_text("key", length=limits.KEY_LENGTH)
    data = item.vector("data", required=True)
    metadata = item.document("metadata")
    return NewVector(key, _NO_ROW if data is None else data, {} if metadata is None else metadata)


def _segment(count: int | None, number: int | None) -> tuple[int, int]:
    if count is None and number is None:
        return 0, 1
    if count is None or number is None:
        raise ValidationException("Must specify both segmentCount and segmentIndex, or neither")
    if number >= count:
        raise ValidationException("segmentIndex must be less than segmentCount")
    return number, count


def _query_text(item: Members) -> QueryText:
    text = item.needed_text("text", length=limits.QUERY_TEXT_LENGTH)
    return QueryText(item.needed_text("metadataKey", length=limits.METADATA_KEY_LENGTH), text)


def _stored(vector: StoredVector) -> Answer:
    answer: Answer = {"key": vector.key}
    if vector.data is not None:
        # The very numbers, as the service writes them: 0.1 comes back as 0.10000000149011612.
        answer["data"] = {"float32": vector.data.astype(np.float64)}
    if vector.metadata is not None:
        answer["metadata"] = orjson.Fragment(vector.metadata)
    return answer


def _hit(hit: Hit, query: Query) -> Answer:
    answer: Answer = {"key": hit.key}
    if query.distance and hit.distance is not None:
        answer["distance"] = hit.distance
    if query.scores and hit.scores is not None:
        answer["scores"] = _scores(hit, hit.scores)
    if hit.metadata is not None:
        answer["metadata"] = orjson.Fragment(hit.metadata)
    return answer


def _scores(hit: Hit, scores: Scores) -> Answer:
    answer: Answer = {"bm25Scores": [{"metadataKey": key, "score": score} for key, score in scores.bm25]}
    if scores.fused is not None:
        answer["fused"] = scores.fused
        if hit.distance is not None:
            answer["vectorDistance"] = hit.distance
    return answer
