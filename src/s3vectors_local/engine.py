"""The operations of the service as methods. Thread-safe; names in, values out, service errors raised."""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from s3vectors_local import hybrid, limits, names, pages
from s3vectors_local.checks import check_keys, check_query, check_vectors, predicate, refuse_classic
from s3vectors_local.errors import (
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    IndexExists,
    IndexNotFound,
    PolicyNotFound,
    ResourceNotFound,
    ServiceQuotaExceededException,
    ValidationException,
)
from s3vectors_local.filters import Predicate
from s3vectors_local.model import (
    Bucket,
    Encryption,
    Hit,
    Index,
    Metric,
    Mode,
    NewIndex,
    NewTextKey,
    NewVector,
    Page,
    Query,
    StoredVector,
)
from s3vectors_local.query import Search, SnapshotTooOld
from s3vectors_local.storage import Store, catalogue, check, open_store, records, schema, texts

Clock = Callable[[], float]
_ENCRYPTION = Encryption()


def open_engine(
    path: Path | None,
    *,
    read_only: bool = False,
    region: str = "us-east-1",
    account: str = "000000000000",
    resident_bytes: int | None = None,
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
        resident_bytes: int | None = None,
    ) -> None:
        """Own the store. `resident_bytes` bounds the rows kept for queries: a quarter of the memory if None."""
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
            refuse_classic(mode, "bucket")
            catalogue.set_default_mode(c, _bucket(c, bucket).id, mode)

    def put_policy(self, bucket: str, policy: str) -> None:
        """Set the bucket's policy; callers with policies are held to it. Raises BucketNotFound."""
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
            _add_text_keys(c, _index(c, bucket, new.name), new.texts)
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
            texts.unconfigure(c, index.texts)
            catalogue.remove_index(c, index.id)
        self._search.forget(index.id)

    def set_index_mode(self, bucket: str, name: str, mode: Mode) -> None:
        """Convert an index to ENHANCED; there is no way back. Raises IndexNotFound, ValidationException."""
        with self._store.write() as c:
            index = _index(c, bucket, name)
            refuse_classic(mode, "index")
            catalogue.set_mode(c, index.id, mode)

    def add_text_keys(self, bucket: str, name: str, keys: Sequence[NewTextKey]) -> None:
        """Make metadata keys text-searchable; when this returns, all vectors are found by them.

        Raises IndexNotFound, TextKeyExists, ValidationException.
        """
        with self._store.write() as c:
            _add_text_keys(c, _index(c, bucket, name), keys)

    def remove_text_keys(self, bucket: str, name: str, keys: Sequence[str]) -> None:
        """Make metadata keys no longer text-searchable. Raises IndexNotFound, ValidationException."""
        with self._store.write() as c:
            texts.unconfigure(c, hybrid.known_keys(_index(c, bucket, name), keys))

    # Vectors

    def put_vectors(self, bucket: str, index: str, vectors: Sequence[NewVector]) -> None:
        """Store all the vectors, or none; of two with one key the later one. Raises InvalidRecord, IndexNotFound."""
        with self._store.write() as c:
            target = _index(c, bucket, index)
            check_vectors(target, vectors)
            last = {vector.key: vector for vector in vectors}
            ids = records.put(c, target, list(last.values()))
            texts.put(c, target, {ids[key]: vector.metadata for key, vector in last.items()})

    def get_vectors(
        self, bucket: str, index: str, keys: Sequence[str], *, data: bool = False, metadata: bool = False
    ) -> list[StoredVector]:
        """Return the vectors of the keys that exist, each once. Raises IndexNotFound."""
        check_keys(keys)
        with self._store.read() as c:
            return records.get(c, _index(c, bucket, index), dict.fromkeys(keys), data=data, metadata=metadata)

    def delete_vectors(self, bucket: str, index: str, keys: Sequence[str]) -> None:
        """Remove the keys; absent ones are ignored. Raises IndexNotFound."""
        check_keys(keys)
        with self._store.write() as c:
            source = _index(c, bucket, index)
            texts.delete(c, source, records.delete(c, source, dict.fromkeys(keys)))

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
        """Return the best vectors, at most 100 a page, and the index's metric.

        Best by distance for a vector, by BM25 for texts, by fused ranks for both. All pages show what the first call
        saw; a token lives some minutes. Raises InvalidFilter, InvalidQueryVector, IndexNotFound, ValidationException
        for texts under keys that are not searchable, and for a token of another query.
        """
        source = self.get_index(bucket, index)
        check_query(source, query)
        where = predicate(source, query)
        if token is not None:
            return self._next_hits(token, _scope(source, query)), source.metric
        hits = self._best(bucket, index, query, where=where)
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

    def _best(self, bucket: str, index: str, query: Query, *, where: Predicate | None) -> list[Hit]:
        while True:
            with self._store.read() as c:
                source = _index(c, bucket, index)
                hybrid.check_texts(source, query.texts)
                try:
                    found = hybrid.find(c, source, query, search=self._search, where=where)
                except SnapshotTooOld:  # another query has already read a later state: so will the next view
                    continue
                stored = records.fetch(c, source, [each.record for each in found], data=False, metadata=query.metadata)
            return [
                Hit(vector.key, match.distance, vector.metadata, match.scores)
                for vector, match in zip(stored, found, strict=True)
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


def _add_text_keys(c: sqlite3.Connection, index: Index, keys: Sequence[NewTextKey]) -> None:
    hybrid.check_new_keys(index, keys)
    texts.configure(c, index, keys)


def _scope(index: Index, query: Query) -> bytes:
    vector = None if query.vector is None else np.ascontiguousarray(query.vector)
    texts_ = [(text.key, text.text) for text in query.texts]
    parts = (query.top_k, query.where, query.mode, query.metadata, query.distance, texts_, query.scores)
    return pages.scope("QueryVectors", index.id, vector, *parts)
