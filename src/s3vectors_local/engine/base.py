"""What all operations stand on: the data, the clock, and the tokens of pages."""

import sqlite3
from collections.abc import Callable
from typing import Any

from s3vectors_local import names, pages
from s3vectors_local.engine.turns import Turns
from s3vectors_local.engine.upkeep import Upkeep
from s3vectors_local.errors import BucketNotFound, IndexNotFound
from s3vectors_local.model import Bucket, Index, Page
from s3vectors_local.storage import Store, catalogue, schema
from s3vectors_local.storage.slab import Slab

Clock = Callable[[], float]


class Base:
    """The state of an engine."""

    def __init__(self, store: Store, upkeep: Upkeep, *, clock: Clock, elapsed: Clock, owner: names.Account) -> None:
        """Own the store."""
        self.owner = owner
        self._store = store
        self._search = upkeep.search
        self._upkeep = upkeep
        self._clock = clock
        self._turns = Turns()
        self._snapshots = pages.Snapshots(elapsed)
        with store.read() as c:
            self._tokens = pages.Tokens(schema.token_secret(c))

    def _slab(self, index: Index) -> Slab:
        return self._store.slabs.slab(index.id, index.slab, dimension=index.dimension)

    def _now(self) -> int:
        return int(self._clock())

    def _position(self, token: str | None, scope: bytes) -> bytes:
        return b"" if token is None else self._tokens.read(token, scope=scope)

    def _named_page(self, found: list[Any], limit: int, scope: bytes) -> Page[Any]:
        more = len(found) > limit
        shown = found[:limit]
        return Page(shown, self._tokens.sign(shown[-1].name.encode(), scope=scope) if more else None)


def known_bucket(c: sqlite3.Connection, name: str) -> Bucket:
    """Return a bucket. Raises BucketNotFound."""
    found = catalogue.bucket(c, name)
    if found is None:
        raise BucketNotFound
    return found


def known_index(c: sqlite3.Connection, bucket: str, name: str) -> Index:
    """Return an index. Raises IndexNotFound."""
    found = catalogue.index(c, bucket, name)
    if found is None:
        raise IndexNotFound
    return found
