"""What came since a coarse index was made is put into its lists: a hundredth of the work of building it anew.

Lists, encoder and depths stay as they were made, so this goes well while most rows are those they were made from.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Index
from s3vectors_local.search.coarse import Coarse, Slots
from s3vectors_local.search.codes import Codes, joined
from s3vectors_local.search.partition import assigned
from s3vectors_local.storage.slab import Rows

_WAITING_ROWS: Final = 2_000
_WAITING_SHARE: Final = 24  # extended when one row in so many is in no list; until then these are scanned
_ENCODED: Final = 4_096  # rows at a time


def is_extension_due(index: Index, coarse: Coarse | None) -> bool:
    """Tell whether so much came that it should be put into the lists."""
    return coarse is not None and index.slots - coarse.end > max(_WAITING_ROWS, index.count // _WAITING_SHARE)


def extended(coarse: Coarse, index: Index, rows: Rows, dead: Slots) -> Coarse:
    """Return the coarse index with all the rows that an index has now, and without those that are dead."""
    alive = np.ones(index.slots, np.bool_)
    alive[dead] = False
    kept = np.flatnonzero(alive[coarse.slots])
    came = np.flatnonzero(alive[coarse.end :]) + coarse.end
    new = _encoded(coarse, rows, came)
    lists = np.concatenate([_lists(coarse)[kept], assigned(new, coarse.centres)])
    order = np.argsort(lists, kind="stable")
    slots = np.concatenate([coarse.slots[kept], came.astype(np.int32)])[order]
    places = np.full(index.slots, -1, np.int32)
    places[slots] = np.arange(len(slots), dtype=np.int32)
    counts = np.bincount(lists, minlength=len(coarse.centres))
    return replace(
        coarse,
        generation=index.generation,
        end=index.slots,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        slots=slots,
        places=places,
        codes=joined([coarse.codes.take(kept), new]).take(order),
    )


def _lists(coarse: Coarse) -> npt.NDArray[np.int64]:
    """Return the list of each code."""
    return np.repeat(np.arange(len(coarse.centres)), np.diff(coarse.starts))


def _encoded(coarse: Coarse, rows: Rows, slots: Slots) -> Codes:
    parts = [rows.take(slots[start : start + _ENCODED]) for start in range(0, len(slots), _ENCODED)]
    return joined([coarse.codes[:0], *(coarse.encoder.encode(part["data"], part["norm"]) for part in parts)])
