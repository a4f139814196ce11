"""Operations on vectors."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

import numpy as np

from s3vectors_local import hybrid, limits, pages
from s3vectors_local.checks import check_each_once, check_keys, check_query, check_vectors, parsed_filter
from s3vectors_local.engine.base import Base, known_index
from s3vectors_local.errors import StoreFailed
from s3vectors_local.model import Hit, Index, Metric, NewVector, Page, Query, StoredVector
from s3vectors_local.search import SnapshotTooOld
from s3vectors_local.storage import records, texts
from s3vectors_local.storage.slab import Slab, SlabGone

Result = TypeVar("Result")


class Vectors(Base):
    """The vectors of an engine."""

    def put_vectors(self, bucket: str, index: str, vectors: Sequence[NewVector]) -> None:
        """Store all the vectors, or none; of two with one key the later one. Raises InvalidRecord, IndexNotFound."""
        with self._store.write() as c:
            target = known_index(c, bucket, index)
            check_vectors(target, vectors)
            last = {vector.key: vector for vector in vectors}
            ids = records.put(c, self._slab(target), target, list(last.values()))
            texts.put(c, target, {ids[key]: vector.metadata for key, vector in last.items()})
        self._upkeep.notice(target)

    def get_vectors(
        self, bucket: str, index: str, keys: Sequence[str], *, data: bool = False, metadata: bool = False
    ) -> list[StoredVector]:
        """Return the vectors of the keys that exist, each once. Raises IndexNotFound, ValidationException."""

        def read(c: sqlite3.Connection, slab: Slab, source: Index) -> list[StoredVector]:
            check_keys(keys)
            return records.get(c, slab, source, dict.fromkeys(keys), data=data, metadata=metadata)

        return self._reading(bucket, index, read)

    def delete_vectors(self, bucket: str, index: str, keys: Sequence[str]) -> None:
        """Remove the keys; absent ones are ignored. Raises IndexNotFound, ValidationException for a key twice."""
        with self._store.write() as c:
            source = known_index(c, bucket, index)
            check_keys(keys)
            check_each_once(keys)
            texts.delete(c, source, records.delete(c, source, keys))
        self._upkeep.notice(source)

    def list_vectors(
        self,
        bucket: str,
        index: str,
        *,
        limit: int = limits.LIST_VECTORS_DEFAULT,
        token: str | None = None,
        segment: tuple[int, int] = (0, 1),
        data: bool = False,
        metadata: bool = False,
    ) -> Page[StoredVector]:
        """Return vectors in the order of their first write, a page at a time. `segment` is (index, count).

        A vector that is there from the first page to the last comes exactly once. Raises IndexNotFound.
        """

        def read(c: sqlite3.Connection, slab: Slab, source: Index) -> Page[StoredVector]:
            scope = pages.scope("ListVectors", source.id, segment, data, metadata)
            after = int.from_bytes(self._position(token, scope), "big")
            vectors, last = records.page(
                c, slab, source, after=after, limit=limit, segment=segment, data=data, metadata=metadata
            )
            return Page(vectors, None if last is None else self._tokens.sign(last.to_bytes(8, "big"), scope=scope))

        return self._reading(bucket, index, read)

    def query_vectors(
        self, bucket: str, index: str, query: Query, *, token: str | None = None
    ) -> tuple[Page[Hit], Metric]:
        """Return the best vectors, at most 100 a page, and the index's metric.

        Best by distance for a vector, by BM25 for texts, by fused ranks for both. All pages show what the first call
        saw; a token lives some minutes. Raises InvalidFilter, InvalidQueryVector, IndexNotFound, ValidationException
        for texts under keys that are not searchable, and for a token of another query.
        """

        def read(c: sqlite3.Connection, slab: Slab, source: Index) -> tuple[Page[Hit], Metric]:
            check_query(source, query)
            where = parsed_filter(source, query)
            hybrid.check_texts(source, query.texts)
            if token is not None:
                return self._next_hits(token, _scope(source, query)), source.metric
            found = hybrid.find(c, slab, source, query, search=self._search, where=where)
            return self._first_hits(_hits(c, found, query), source, query), source.metric

        with self._turns.turn() if _is_short(query) else nullcontext():
            return self._reading(bucket, index, read)

    def _reading(self, bucket: str, name: str, read: Callable[[sqlite3.Connection, Slab, Index], Result]) -> Result:
        """Return what is read in one transaction; a later one where this has become too old for what is in memory."""
        gone: SlabGone | None = None
        missing = 0
        while True:
            with self._store.read() as c:
                index = known_index(c, bucket, name)
                if gone is not None and index.slab == missing:
                    raise StoreFailed(f"the rows of an index are missing: {gone}") from gone
                try:
                    return read(c, self._slab(index), index)
                except SnapshotTooOld:  # another query has read a later state already: so will the next transaction
                    continue
                except SlabGone as error:  # compacted by another process, or taken away
                    gone, missing = error, index.slab

    def _first_hits(self, hits: Sequence[Hit], source: Index, query: Query) -> Page[Hit]:
        if len(hits) <= limits.QUERY_PAGE:
            return Page(hits)
        return self._page(hits, pages.pack(self._snapshots.keep(hits), 0), _scope(source, query))

    def _next_hits(self, token: str, scope: bytes) -> Page[Hit]:
        position = self._tokens.read(token, scope=scope)
        hits = self._snapshots.get(pages.unpack(position)[0])
        if hits is None:
            raise pages.invalid_token()
        return self._page(hits, position, scope)

    def _page(self, hits: Sequence[Hit], position: bytes, scope: bytes) -> Page[Hit]:
        id_, start = pages.unpack(position)
        end = start + limits.QUERY_PAGE
        token = self._tokens.sign(pages.pack(id_, end), scope=scope) if end < len(hits) else None
        return Page(hits[start:end], token)


def _is_short(query: Query) -> bool:
    return query.where is None and not query.texts and query.top_k <= limits.QUERY_PAGE


def _hits(c: sqlite3.Connection, found: Sequence[hybrid.Match], query: Query) -> list[Hit]:
    stored = records.described(c, [each.record for each in found], metadata=query.metadata)
    return [
        Hit(key, match.distance, metadata, match.scores) for (key, metadata), match in zip(stored, found, strict=True)
    ]


def _scope(index: Index, query: Query) -> bytes:
    vector = None if query.vector is None else np.ascontiguousarray(query.vector)
    texts_ = [(text.key, text.text) for text in query.texts]
    parts = (query.top_k, query.where, query.mode, query.metadata, query.distance, texts_, query.scores)
    return pages.scope("QueryVectors", index.id, vector, *parts)
