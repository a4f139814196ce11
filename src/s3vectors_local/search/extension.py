"""What came since a coarse index was made is put into its lists: a hundredth of the work of building it anew.

Lists, encoder and depths stay as they were made: this goes well while what comes is like what was there.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from s3vectors_local.model import Index
from s3vectors_local.search.coarse import Coarse, Longer, Slots
from s3vectors_local.search.codes import Codes, joined
from s3vectors_local.search.partition import assigned
from s3vectors_local.search.staleness import reached
from s3vectors_local.storage.slab import Rows

_ENCODED: Final = 4_096  # rows at a time


def longer(values: npt.NDArray[np.int8], rows: int) -> npt.NDArray[np.int8]:
    """Return a copy of codes with room for more."""
    made = np.zeros((rows, values.shape[1]), np.int8)
    made[: len(values)] = values
    return made


def extended(coarse: Coarse, index: Index, rows: Rows, dead: Slots, *, longer: Longer = longer) -> Coarse:
    """Return the coarse index with all the rows that an index has now, and without those that are dead.

    `longer` gives the array that begins with the codes of all components and has room for more.
    """
    alive = np.ones(index.slots, np.bool_)
    alive[dead] = False
    kept = np.flatnonzero(alive[coarse.slots])
    came = np.flatnonzero(alive[coarse.end :]) + coarse.end
    new = _encoded(coarse, rows, came)
    whole = None if coarse.whole is None else _with_room(coarse.whole, longer(coarse.whole.values, index.slots))
    if whole is not None:
        for block in _blocks(came):
            part = rows.take(block)
            coarse.encoder.encode_into(whole, np.ascontiguousarray(part["data"]), part["norm"], block)
    lists = np.concatenate([_lists(coarse)[kept], assigned(new, coarse.centres)])
    order = np.argsort(lists, kind="stable")
    slots = np.concatenate([coarse.slots[kept], came.astype(np.int32)])[order]
    places = np.full(index.slots, -1, np.int32)
    places[slots] = np.arange(len(slots), dtype=np.int32)
    counts = np.bincount(lists, minlength=len(coarse.centres))
    made = replace(
        coarse,
        generation=index.generation,
        end=index.slots,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        slots=slots,
        places=places,
        codes=joined([coarse.codes.take(kept), new]).take(order),
        whole=whole,
    )
    return replace(made, reached=reached(made, coarse))


def _lists(coarse: Coarse) -> npt.NDArray[np.int64]:
    """Return the list of each code."""
    return np.repeat(np.arange(len(coarse.centres)), np.diff(coarse.starts))


def _encoded(coarse: Coarse, rows: Rows, slots: Slots) -> Codes:
    parts = map(rows.take, _blocks(slots))
    return joined([coarse.codes[:0], *(coarse.encoder.encode(part["data"], part["norm"]) for part in parts)])


def _blocks(slots: Slots) -> Iterator[Slots]:
    return (slots[start : start + _ENCODED] for start in range(0, len(slots), _ENCODED))


def _with_room(whole: Codes, values: npt.NDArray[np.int8]) -> Codes:
    scales, penalties = np.zeros(len(values), np.float32), np.zeros(len(values), np.float32)
    scales[: len(whole)], penalties[: len(whole)] = whole.scales, whole.penalties
    return Codes(values, scales, penalties)
