"""The truth: one SQLite database in WAL mode, one writer, many readers."""

from s3vectors_local.storage.store import Store, open_store

__all__ = ["Store", "open_store"]
