"""The operations of the service as methods. Thread-safe; names in, values out, service errors raised."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from s3vectors_local import names
from s3vectors_local.engine.base import Clock
from s3vectors_local.engine.buckets import Buckets
from s3vectors_local.engine.indexes import Indexes
from s3vectors_local.engine.tags import Tags
from s3vectors_local.engine.upkeep import Upkeep
from s3vectors_local.engine.vectors import Vectors
from s3vectors_local.search.derived import FOLDER, DerivedFiles
from s3vectors_local.storage import Store, catalogue, check, open_store, schema

__all__ = ["Engine", "open_engine"]


def open_engine(
    path: Path | None, *, read_only: bool = False, region: str = "us-east-1", account: str = "000000000000"
) -> "Engine":
    """Return an engine over the data in a folder, created where it is missing; None keeps everything in memory.

    One engine may write to a folder; any number may read it meanwhile, with `read_only`, also from other processes.
    Raises StoreLocked, StoreMissing, StoreTooNew, StoreError, ValueError for what is no region or account.
    """
    owner = names.Account(region=region, account=account)
    store = open_store(path, read_only=read_only)
    try:
        return Engine(store, folder=path, owner=owner)
    except BaseException:
        store.close()
        raise


class Engine(Buckets, Indexes, Vectors, Tags):
    """Vector buckets, indexes and vectors of one account in one region.

    When a writing method returns, what it wrote survives a kill and a power loss; when it raises, nothing was written.
    """

    def __init__(
        self,
        store: Store,
        *,
        folder: Path | None = None,
        clock: Clock = time.time,
        elapsed: Clock = time.monotonic,
        owner: names.Account = names.Account(),  # noqa: B008 - frozen
    ) -> None:
        """Own the store, which lies in a folder, or in memory.

        `clock` tells the time that things are made at, `elapsed` how long tokens live.
        """
        with store.read() as c:
            files = None if folder is None else DerivedFiles(folder / FOLDER, schema.identity(c))
            indexes = [] if store.read_only else catalogue.all_indexes(c)
            if files is not None and not store.read_only:
                files.keep_only({index.id: index for index in indexes})
        super().__init__(store, Upkeep(store, files, folder), clock=clock, elapsed=elapsed, owner=owner)
        for index in indexes:
            if index.is_building:
                self._upkeep.notice(index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def read_only(self) -> bool:
        """True when every write raises AccessDeniedException."""
        return self._store.read_only

    def tend(self) -> None:
        """Look soon whether any index lacks its coarse index: for a program that leaves the queries to others."""
        with self._store.read() as c:
            for index in catalogue.all_indexes(c):
                self._upkeep.notice(index)

    def settle(self) -> None:
        """Wait until the coarse indexes are as writes so far need them: for a program that writes much, then ends."""
        self._upkeep.settle()

    def close(self) -> None:
        """Release the files and the lock; every later call fails."""
        self._upkeep.close()
        self._store.close()

    def verify(self) -> list[str]:
        """Read everything, and return a sentence for each fault found; an empty list tells that all holds together."""
        with self._store.read() as c:
            return check.faults(c, self._store.slabs)

    def vacuum(self) -> None:
        """Give the free pages of the database back to the disk."""
        self._store.vacuum()
