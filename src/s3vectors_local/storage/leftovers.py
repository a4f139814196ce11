"""Files of rows that no index has, and which of them may go.

They are left by a compaction that did not end, or that ended before it removed the old file, and by a deletion that did
the same. All else that no index has tells that the database is not the one that these rows belong to, or has lost what
was written last: then nothing is removed, for it may be all that is left.
"""

import sqlite3
from collections.abc import Iterator, Sequence

from s3vectors_local.errors import StoreError
from s3vectors_local.storage import catalogue
from s3vectors_local.storage.slab import SlabGone, Slabs

_Slab = tuple[int, int]
"""The id of an index, and the number of a slab."""


def remove(c: sqlite3.Connection, slabs: Slabs) -> None:
    """Remove what may go. Raises StoreError, and removes nothing, where something may not."""
    left = _left(c, slabs.found())
    if not left:
        return
    faults = [text for (text,) in c.execute("PRAGMA quick_check(1)") if text != "ok"]
    if faults:
        raise StoreError(f"the database is damaged, so nothing was changed: {faults[0]}")
    if strange := list(_unexplained(c, slabs, left)):
        raise StoreError(
            f"{_named(slabs, strange)} belong to no index in the database, which may be an older one or may have lost "
            "what was written last; nothing was changed. Put back the database that they belong to, or move them away"
        )
    for each in left:
        slabs.remove(*each)


def refuse_without_database(slabs: Slabs) -> None:
    """Raise StoreError where there are rows."""
    if found := slabs.found():
        raise StoreError(
            f"the database is missing or empty, but there are rows: {_named(slabs, found)}; nothing was changed. "
            "Put the database back, or move them away to begin anew"
        )


def unexplained(c: sqlite3.Connection, slabs: Slabs, found: Sequence[_Slab]) -> list[str]:
    """Return the names of slabs, found before the caller's transaction, that may not go."""
    return [slabs.path(*each).name for each in _unexplained(c, slabs, _left(c, found))]


def _left(c: sqlite3.Connection, found: Sequence[_Slab]) -> list[_Slab]:
    known = {(index.id, index.slab) for index in catalogue.all_indexes(c)}
    return [each for each in found if each not in known]


def _unexplained(c: sqlite3.Connection, slabs: Slabs, left: Sequence[_Slab]) -> Iterator[_Slab]:
    known = {index.id: index for index in catalogue.all_indexes(c)}
    last = catalogue.last_index_id(c)
    for index_id, number in left:
        index = known.get(index_id)
        if index is None and index_id <= last:
            continue  # of one that was deleted
        if index is not None:
            try:
                slabs.slab(index.id, index.slab, dimension=index.dimension).read(index.slots)
                continue  # of a compaction: the index has all its rows without it
            except (SlabGone, OSError):
                pass
        yield index_id, number


def _named(slabs: Slabs, found: Sequence[_Slab]) -> str:
    first = ", ".join("/".join(slabs.path(*each).parts[-2:]) for each in found[:3])
    return first if len(found) <= 3 else f"{first} and {len(found) - 3} more"
