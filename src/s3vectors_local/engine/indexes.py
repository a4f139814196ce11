"""Operations on vector indexes."""

import sqlite3
from collections.abc import Mapping, Sequence

from s3vectors_local import hybrid, limits, names, pages
from s3vectors_local.checks import refuse_classic
from s3vectors_local.engine.base import Base, known_bucket, known_index
from s3vectors_local.errors import IndexExists, ServiceQuotaExceededException
from s3vectors_local.model import Index, Mode, NewIndex, NewTextKey, Page, SearchState
from s3vectors_local.storage import catalogue, texts


class Indexes(Base):
    """The indexes of an engine."""

    def create_index(self, bucket: str, new: NewIndex, *, tags: Mapping[str, str] | None = None) -> Index:
        """Create an index, with its bucket's default mode. Raises IndexExists, BucketNotFound, ValidationException."""
        names.check_index_name(new.name)
        with self._store.write() as c:
            parent = known_bucket(c, bucket)
            if catalogue.index(c, bucket, new.name):
                raise IndexExists
            if catalogue.count_indexes(c, parent.id) >= limits.INDEXES:
                raise ServiceQuotaExceededException("You have reached the maximum number of indexes for the bucket")
            id_ = catalogue.add_index(c, parent, new, created=self._now())
            catalogue.put_tags(c, parent.id, id_, tags or {})
            _add_text_keys(c, known_index(c, bucket, new.name), new.texts)
            return known_index(c, bucket, new.name)

    def get_index(self, bucket: str, name: str) -> Index:
        """Return an index. Raises IndexNotFound, for a missing bucket too."""
        with self._store.read() as c:
            return known_index(c, bucket, name)

    def list_indexes(
        self, bucket: str, *, prefix: str = "", limit: int = limits.LIST_DEFAULT, token: str | None = None
    ) -> Page[Index]:
        """Return a bucket's indexes by name, a page at a time. Raises BucketNotFound."""
        with self._store.read() as c:
            parent = known_bucket(c, bucket)
            scope = pages.scope("ListIndexes", parent.id, prefix)
            after = self._position(token, scope)
            found = catalogue.indexes(c, parent, prefix=prefix, after=after.decode(), limit=limit + 1)
        return self._named_page(found, limit, scope)

    def delete_index(self, bucket: str, name: str) -> None:
        """Delete an index and its vectors. Raises IndexNotFound."""
        with self._store.write() as c:
            index = known_index(c, bucket, name)
            texts.unconfigure(c, index.texts)
            catalogue.remove_index(c, index.id)
        self._upkeep.forget(index)

    def build(self, bucket: str, name: str) -> None:
        """Build the coarse index of an index now, rather than when the upkeep finds it due. Raises IndexNotFound."""
        self._upkeep.build(self.get_index(bucket, name).id)

    def refresh(self, bucket: str, name: str) -> None:
        """Build the coarse index of an index now if that is due. Raises IndexNotFound."""
        self._upkeep.refresh(self.get_index(bucket, name).id)

    def compact(self, bucket: str, name: str) -> None:
        """Give the room of deleted and overwritten rows back to the disk. Raises IndexNotFound."""
        self._upkeep.compact(self.get_index(bucket, name).id)

    def search_state(self, index: Index) -> SearchState:
        """Return how queries by vector search an index."""
        return self._upkeep.state(index)

    def set_index_mode(self, bucket: str, name: str, mode: Mode) -> None:
        """Convert an index to ENHANCED; there is no way back. Raises IndexNotFound, ValidationException."""
        with self._store.write() as c:
            index = known_index(c, bucket, name)
            refuse_classic(mode, "index")
            catalogue.set_mode(c, index.id, mode)

    def add_text_keys(self, bucket: str, name: str, keys: Sequence[NewTextKey]) -> None:
        """Make metadata keys text-searchable: at once in a small index, else when what it holds has been indexed.

        Raises IndexNotFound, TextKeyExists, ValidationException.
        """
        with self._store.write() as c:
            _add_text_keys(c, known_index(c, bucket, name), keys)
            index = known_index(c, bucket, name)
        self._upkeep.notice(index)

    def remove_text_keys(self, bucket: str, name: str, keys: Sequence[str]) -> None:
        """Make metadata keys no longer text-searchable. Raises IndexNotFound, ValidationException."""
        with self._store.write() as c:
            texts.unconfigure(c, hybrid.known_keys(known_index(c, bucket, name), keys))


def _add_text_keys(c: sqlite3.Connection, index: Index, keys: Sequence[NewTextKey]) -> None:
    hybrid.check_new_keys(index, keys)
    texts.configure(c, index, keys)
