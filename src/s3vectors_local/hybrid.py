"""Queries by text, alone or beside a vector: BM25 for the one, reciprocal rank fusion for the other.

The filter selects before anything is ranked; what BM25 counts (documents, their mean length) is of the whole index.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from s3vectors_local import filters, limits
from s3vectors_local.errors import Field, TextKeyExists, ValidationException
from s3vectors_local.filters import Tree
from s3vectors_local.model import Index, Mode, NewTextKey, Query, QueryText, Scores, TextKey
from s3vectors_local.search import Found, Search
from s3vectors_local.storage import codec, records, texts
from s3vectors_local.storage.slab import Slab
from s3vectors_local.text import bm25, fusion


@dataclass(frozen=True, slots=True)
class Match:
    """One record that a query found, and why."""

    record: int
    distance: float | None
    scores: Scores | None


def find(
    c: sqlite3.Connection, slab: Slab, index: Index, query: Query, *, search: Search, where: Tree | None
) -> list[Match]:
    """Return at most topK matches, best first. Raises SnapshotTooOld as `Search.nearest` does."""
    if query.vector is None:
        return _by_text(c, index, query, where)
    if not query.texts:
        found = search.nearest(c, slab, index, query.vector, k=query.top_k, where=where)
        return [Match(record, distance, None) for record, distance in found]
    depth = max(query.top_k, limits.FUSION_DEPTH)
    return _fused(c, index, query, search.nearest(c, slab, index, query.vector, k=depth, where=where), where, depth)


def check_texts(index: Index, wanted: Sequence[QueryText]) -> None:
    """Raise ValidationException for a key that is not searchable, and for one that is asked twice."""
    keys = [text.key for text in wanted]
    if len(set(keys)) < len(keys):
        raise _text_fault("Each entry of queryTexts must target a distinct metadata key")
    if keys and index.mode is not Mode.ENHANCED:
        raise _text_fault("Full-text search requires an index in ENHANCED mode")
    known = {text.key: text for text in index.texts}
    for key in keys:
        if key not in known:
            raise _text_fault(f"Metadata key '{key}' is not configured for text search")
        if known[key].is_building:
            raise _text_fault(f"The text search configuration of metadata key '{key}' is still being built")


def check_new_keys(index: Index, new: Sequence[NewTextKey]) -> None:
    """Raise ValidationException for keys that cannot become searchable, TextKeyExists for one that is already."""
    keys = [text.key for text in new]
    if len(set(keys)) < len(keys):
        raise ValidationException("Each text search configuration must have a distinct metadata key")
    if keys and index.mode is not Mode.ENHANCED:
        raise ValidationException("Text search configurations require an index in ENHANCED mode")
    if {text.key for text in index.texts} & set(keys):
        raise TextKeyExists
    if len(index.texts) + len(keys) > limits.TEXT_KEYS[1]:
        raise ValidationException(f"An index can have at most {limits.TEXT_KEYS[1]} text search configurations")


def known_keys(index: Index, wanted: Sequence[str]) -> list[TextKey]:
    """Return the searchable keys of these names. Raises ValidationException for one that is not searchable."""
    known = {text.key: text for text in index.texts}
    for key in wanted:
        if key not in known:
            raise ValidationException(f"Metadata key '{key}' is not configured for text search")
    return [known[key] for key in dict.fromkeys(wanted)]


def _text_fault(reason: str) -> ValidationException:
    return ValidationException(reason, fields=[Field("queryTexts", reason)])


def _by_text(c: sqlite3.Connection, index: Index, query: Query, where: Tree | None) -> list[Match]:
    rankings = _rankings(c, index, query)
    best = _best(c, bm25.total(list(rankings.values())), where, query.top_k)
    return [Match(record, None, _scores(rankings, record, None)) for record in best]


def _fused(
    c: sqlite3.Connection, index: Index, query: Query, near: Found, where: Tree | None, depth: int
) -> list[Match]:
    rankings = _rankings(c, index, query)
    distances = dict(near)
    by_text = [_best(c, ranking, where, depth) for ranking in rankings.values()]
    fused = fusion.fused([list(distances), *by_text])[: query.top_k]
    return [Match(record, distances.get(record), _scores(rankings, record, score)) for record, score in fused]


def _rankings(c: sqlite3.Connection, index: Index, query: Query) -> dict[str, bm25.Ranking]:
    keys = {text.key: text for text in index.texts}
    return {text.key: texts.rank(c, keys[text.key], text.text) for text in query.texts}


def _scores(rankings: dict[str, bm25.Ranking], record: int, fused: float | None) -> Scores:
    found = ((key, ranking.score(record)) for key, ranking in rankings.items())
    return Scores(tuple((key, score) for key, score in found if score is not None), fused)


def _best(c: sqlite3.Connection, ranking: bm25.Ranking, where: Tree | None, k: int) -> list[int]:
    """Return the k best records that the filter selects. Metadata is read from the best one on, as far as needed."""
    if where is None:
        return ranking.best(k)
    matches = filters.predicate(where)
    best: list[int] = []
    ranked = ranking.best(len(ranking.records))
    for record, text in zip(ranked, records.filterable(c, ranked), strict=True):
        if matches(codec.metadata(text)):
            best.append(record)
            if len(best) == k:
                break
    return best
