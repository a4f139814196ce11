"""The nearest rows of an index: exactly, or by codes and then exactly; the filter always selects first."""

from s3vectors_local.search.search import Search, SnapshotTooOld
from s3vectors_local.search.view import Found

__all__ = ["Found", "Search", "SnapshotTooOld"]
