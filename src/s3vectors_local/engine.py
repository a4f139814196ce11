"""The operations of the service as methods. Thread-safe; names in, values out, service errors raised."""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from s3vectors_local import filters as filter_grammar
from s3vectors_local import limits, metadata, names, pages
from s3vectors_local.errors import (
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    IndexExists,
    IndexNotFound,
    InvalidQueryVector,
    InvalidRecord,
    PolicyNotFound,
    ResourceNotFound,
    ServiceQuotaExceededException,
    ValidationException,
)
from s3vectors_local.model import (
    Bucket,
    Encryption,
    Float32,
    Hit,
    Index,
    Metric,
    Mode,
    NewIndex,
    NewVector,
    Page,
    Query,
    StoredVector,
)
from s3vectors_local.query import Search, SnapshotTooOld
from s3vectors_local.storage import Store, catalogue, check, open_store, records, schema

Clock = Callable[[], float]
_ENCRYPTION = Encryption()


def open_engine(
    path: Path | None,
    *,
    read_only: bool = False,
    region: str = "us-east-1",
    account: str = "000000000000",
    resident_bytes: int = limits.RESIDENT_BYTES,
) -> "Engine":
    """Return an engine over the data in a folder, created where it is missing; None keeps everything in memory.

    One engine may write to a folder; any number may read it meanwhile, with `read_only`, also from other processes.
    Raises StoreLocked, StoreMissing, StoreTooNew, StoreError.
    """
    store = open_store(path, read_only=read_only)
    return Engine(store, owner=names.Account(region=region, account=account), resident_bytes=resident_bytes)


class Engine:
    """Vector buckets, indexes and vectors of one account in one region.

    When a writing method returns, what it wrote survives a kill and a power loss; when it raises, nothing was written.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock = time.time,
        owner: names.Account = names.Account(),  # noqa: B008 - frozen
        resident_bytes: int = limits.RESIDENT_BYTES,
    ) -> None:
        """Own the store. `resident_bytes` bounds the rows kept in memory for queries."""
        self.owner = owner
        self._store = store
        self._clock = clock
        self._search = Search(resident_bytes=resident_bytes)
        self._snapshots = pages.Snapshots(clock)
        with store.read() as c:
            self._tokens = pages.Tokens(schema.token_secret(c))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def read_only(self) -> bool:
        """True when every write raises AccessDeniedException."""
        return self._store.read_only

    def close(self) -> None:
        """Release the files and the lock; every later call fails."""
        self._store.close()

    def verify(self) -> list[str]:
        """Read everything, and return a sentence for each fault found; an empty list tells that all holds together."""
        with self._store.read() as c:
            return check.faults(c)

    # Buckets

    def create_bucket(
        self, name: str, *, encryption: Encryption = _ENCRYPTION, tags: Mapping[str, str] | None = None
    ) -> Bucket:
        """Create a bucket whose indexes will be ENHANCED. Raises BucketExists, ValidationException."""
        names.check_bucket_name(name)
        with self._store.write() as c:
            if catalogue.bucket(c, name):
                raise BucketExists
            if catalogue.count_buckets(c) >= limits.BUCKETS:
                raise ServiceQuotaExceededException("You have reached the maximum number of vector buckets")
            id_ = catalogue.add_bucket(c, name, created=self._now(), encryption=encryption, mode=Mode.ENHANCED)
            catalogue.put_tags(c, id_, 0, tags or {})
            return _bucket(c, name)

    def get_bucket(self, name: str) -> Bucket:
        """Return a bucket. Raises BucketNotFound."""
        with self._store.read() as c:
            return _bucket(c, name)

    def list_buckets(
        self, *, prefix: str = "", limit: int = limits.LIST_DEFAULT, token: str | None = None
    ) -> Page[Bucket]:
        """Return buckets by name, a page at a time."""
        scope = pages.scope("ListVectorBuckets", prefix)
        after = self._position(token, scope)
        with self._store.read() as c:
            found = catalogue.buckets(c, prefix=prefix, after=after.decode(), limit=limit + 1)
        return self._named_page(found, limit, scope)

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket without indexes. Raises BucketNotEmpty, BucketNotFound."""
        with self._store.write() as c:
            bucket = _bucket(c, name)
            if catalogue.count_indexes(c, bucket.id):
                raise BucketNotEmpty
            catalogue.remove_bucket(c, bucket.id)

    def set_default_mode(self, bucket: str, mode: Mode) -> None:
        """Set the mode of future indexes; ENHANCED is the only one that new buckets offer. Raises BucketNotFound."""
        with self._store.write() as c:
            _refuse_classic(mode, "bucket")
            catalogue.set_default_mode(c, _bucket(c, bucket).id, mode)

    def put_policy(self, bucket: str, policy: str) -> None:
        """Set the bucket's policy, which is kept and given back, not enforced. Raises BucketNotFound."""
        with self._store.write() as c:
            catalogue.set_policy(c, _bucket(c, bucket).id, policy)

    def get_policy(self, bucket: str) -> str:
        """Return the bucket's policy. Raises BucketNotFound, PolicyNotFound."""
        policy = self.get_bucket(bucket).policy
        if policy is None:
            raise PolicyNotFound
        return policy

    def delete_policy(self, bucket: str) -> None:
        """Remove the bucket's policy if there is one. Raises BucketNotFound."""
        with self._store.write() as c:
            catalogue.set_policy(c, _bucket(c, bucket).id, None)

    # Indexes

    def create_index(self, bucket: str, new: NewIndex, *, tags: Mapping[str, str] | None = None) -> Index:
        """Create an index, with its bucket's default mode. Raises IndexExists, BucketNotFound, ValidationException."""
        names.check_index_name(new.name)
        with self._store.write() as c:
            parent = _bucket(c, bucket)
            if catalogue.index(c, bucket, new.name):
                raise IndexExists
            if catalogue.count_indexes(c, parent.id) >= limits.INDEXES:
                raise ServiceQuotaExceededException("You have reached the maximum number of indexes for the bucket")
            id_ = catalogue.add_index(c, parent, new, created=self._now())
            catalogue.put_tags(c, parent.id, id_, tags or {})
            return _index(c, bucket, new.name)

    def get_index(self, bucket: str, name: str) -> Index:
        """Return an index. Raises IndexNotFound, for a missing bucket too."""
        with self._store.read() as c:
            return _index(c, bucket, name)

    def list_indexes(
        self, bucket: str, *, prefix: str = "", limit: int = limits.LIST_DEFAULT, token: str | None = None
    ) -> Page[Index]:
        """Return a bucket's indexes by name, a page at a time. Raises BucketNotFound."""
        with self._store.read() as c:
            parent = _bucket(c, bucket)
            scope = pages.scope("ListIndexes", parent.id, prefix)
            after = self._position(token, scope)
            found = catalogue.indexes(c, parent, prefix=prefix, after=after.decode(), limit=limit + 1)
        return self._named_page(found, limit, scope)

    def delete_index(self, bucket: str, name: str) -> None:
        """Delete an index and its vectors. Raises IndexNotFound."""
        with self._store.write() as c:
            index = _index(c, bucket, name)
            catalogue.remove_index(c, index.id)
        self._search.forget(index.id)

    def set_index_mode(self, bucket: str, name: str, mode: Mode) -> None:
        """Convert an index to ENHANCED; there is no way back. Raises IndexNotFound, ValidationException."""
        with self._store.write() as c:
            index = _index(c, bucket, name)
            _refuse_classic(mode, "index")
            catalogue.set_mode(c, index.id, mode)

    # Vectors

    def put_vectors(self, bucket: str, index: str, vectors: Sequence[NewVector]) -> None:
        """Store all the vectors, or none; of two with one key the later one. Raises InvalidRecord, IndexNotFound."""
        with self._store.write() as c:
            target = _index(c, bucket, index)
            _check_vectors(target, vectors)
            records.put(c, target, list({vector.key: vector for vector in vectors}.values()))

    def get_vectors(
        self, bucket: str, index: str, keys: Sequence[str], *, data: bool = False, metadata: bool = False
    ) -> list[StoredVector]:
        """Return the vectors of the keys that exist, each once. Raises IndexNotFound."""
        _check_keys(keys)
        with self._store.read() as c:
            return records.get(c, _index(c, bucket, index), dict.fromkeys(keys), data=data, metadata=metadata)

    def delete_vectors(self, bucket: str, index: str, keys: Sequence[str]) -> None:
        """Remove the keys; absent ones are ignored. Raises IndexNotFound."""
        _check_keys(keys)
        with self._store.write() as c:
            records.delete(c, _index(c, bucket, index), dict.fromkeys(keys))

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
        with self._store.read() as c:
            source = _index(c, bucket, index)
            scope = pages.scope("ListVectors", source.id, segment, data, metadata)
            after = int.from_bytes(self._position(token, scope), "big")
            vectors, last = records.page(
                c, source, after=after, limit=limit, segment=segment, data=data, metadata=metadata
            )
        return Page(vectors, None if last is None else self._tokens.sign(last.to_bytes(8, "big"), scope=scope))

    def query_vectors(
        self, bucket: str, index: str, query: Query, *, token: str | None = None
    ) -> tuple[Page[Hit], Metric]:
        """Return the nearest vectors, at most 100 a page, and the index's metric.

        All pages show what the first call saw; a token lives some minutes. Raises InvalidFilter, InvalidQueryVector,
        IndexNotFound, ValidationException for a token of another query.
        """
        source = self.get_index(bucket, index)
        _check_query(source, query.vector)
        where = _predicate(source, query)
        if token is not None:
            return self._next_hits(token, _scope(source, query)), source.metric
        hits = self._nearest(bucket, index, query, where=where)
        if len(hits) <= limits.QUERY_PAGE:
            return Page(hits), source.metric
        return self._hits(hits, pages.pack(self._snapshots.keep(hits), 0), _scope(source, query)), source.metric

    # Tags

    def get_tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a bucket or an index. Raises NotFoundException."""
        with self._store.read() as c:
            return catalogue.tags(c, *self._resource(c, arn))

    def put_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or replace tags. Raises NotFoundException, and ValidationException for more than 50 in all."""
        with self._store.write() as c:
            resource = self._resource(c, arn)
            catalogue.put_tags(c, *resource, tags)
            if len(catalogue.tags(c, *resource)) > limits.TAGS:
                raise ValidationException("Too many tags specified")

    def remove_tags(self, arn: str, keys: Sequence[str]) -> None:
        """Remove tags; absent ones are ignored. Raises NotFoundException."""
        with self._store.write() as c:
            catalogue.remove_tags(c, *self._resource(c, arn), keys)

    # Inside

    def _now(self) -> int:
        return int(self._clock())

    def _position(self, token: str | None, scope: bytes) -> bytes:
        return b"" if token is None else self._tokens.read(token, scope=scope)

    def _named_page(self, found: list[Any], limit: int, scope: bytes) -> Page[Any]:
        more = len(found) > limit
        shown = found[:limit]
        return Page(shown, self._tokens.sign(shown[-1].name.encode(), scope=scope) if more else None)

    def _resource(self, c: sqlite3.Connection, text: str) -> tuple[int, int]:
        arn = names.parse_arn(text)
        if arn is None:
            raise ValidationException("Invalid resource ARN")
        if not self.owner.owns(arn):
            raise ResourceNotFound
        bucket_ = _bucket(c, arn.bucket)
        return bucket_.id, 0 if arn.index is None else _index(c, arn.bucket, arn.index).id

    def _nearest(self, bucket: str, index: str, query: Query, *, where: filter_grammar.Predicate | None) -> list[Hit]:
        while True:
            with self._store.read() as c:
                source = _index(c, bucket, index)
                try:
                    found = self._search.nearest(c, source, query.vector, k=query.top_k, where=where)
                except SnapshotTooOld:  # another query has already read a later state: so will the next view
                    continue
                stored = records.fetch(c, source, [id_ for id_, _ in found], data=False, metadata=query.metadata)
            return [
                Hit(vector.key, distance, vector.metadata) for vector, (_, distance) in zip(stored, found, strict=True)
            ]

    def _next_hits(self, token: str, scope: bytes) -> Page[Hit]:
        position = self._tokens.read(token, scope=scope)
        hits = self._snapshots.get(pages.unpack(position)[0])
        if hits is None:
            raise pages.invalid_token()
        return self._hits(hits, position, scope)

    def _hits(self, hits: Sequence[Hit], position: bytes, scope: bytes) -> Page[Hit]:
        id_, start = pages.unpack(position)
        end = start + limits.QUERY_PAGE
        token = self._tokens.sign(pages.pack(id_, end), scope=scope) if end < len(hits) else None
        return Page(hits[start:end], token)


def _bucket(c: sqlite3.Connection, name: str) -> Bucket:
    found = catalogue.bucket(c, name)
    if found is None:
        raise BucketNotFound
    return found


def _index(c: sqlite3.Connection, bucket: str, name: str) -> Index:
    found = catalogue.index(c, bucket, name)
    if found is None:
        raise IndexNotFound
    return found


def _refuse_classic(mode: Mode, what: str) -> None:
    # Every bucket of this engine is new, and buckets made since 2026-09-30 offer ENHANCED only.
    if mode is Mode.CLASSIC:
        raise ValidationException(f"CLASSIC index mode is not supported for this {what}")


def _check_vectors(index: Index, vectors: Sequence[NewVector]) -> None:
    for place, vector in enumerate(vectors):
        path = f"vectors[{place}]"
        _check_keys([vector.key])
        reason = _vector_fault(index, vector.data)
        if reason:
            raise InvalidRecord(reason, key=vector.key, path=path)
        metadata.check(vector.metadata, non_filterable=index.non_filterable, key=vector.key, path=f"{path}.metadata")


def _vector_fault(index: Index, data: Float32) -> str | None:
    if data.shape != (index.dimension,):
        return f"vector must have length {index.dimension}, but has length {data.size}"
    if not np.isfinite(data).all():
        return "vector contains NaNs or Infs"
    if index.metric is Metric.COSINE and not data.any():
        return "cosine distance does not support vectors with zero norm"
    return None


def _check_query(index: Index, query: Float32) -> None:
    reason = _vector_fault(index, query)
    if reason:
        raise InvalidQueryVector(reason)


def _scope(index: Index, query: Query) -> bytes:
    parts = (query.top_k, query.where, query.mode, query.metadata, query.distance)
    return pages.scope("QueryVectors", index.id, np.ascontiguousarray(query.vector), *parts)


def _predicate(index: Index, query: Query) -> filter_grammar.Predicate | None:
    if query.mode is Mode.CLASSIC and index.mode is Mode.ENHANCED:
        raise ValidationException("CLASSIC query mode is not supported for an index in ENHANCED mode")
    if query.where is None:
        return None
    mode = query.mode or index.mode
    return filter_grammar.predicate(filter_grammar.parse(query.where, non_filterable=index.non_filterable, mode=mode))


def _check_keys(keys: Sequence[str]) -> None:
    for key in keys:
        if len(key.encode()) > limits.KEY_BYTES:
            raise ValidationException("Record key length exceeds the maximum allowed")
