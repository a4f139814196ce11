"""When a coarse index is made, extended or made again.

What comes is put into the lists that there are, which serve it as well while it is like what they were made from. They
are made again when the index has outgrown them, or when what came is not found by them: near rows that are far from
every list are put into several, and a query would have to look into more of them.
"""

from typing import Final

import numpy as np

from s3vectors_local.model import Index
from s3vectors_local.search.coarse import Coarse, best
from s3vectors_local.search.partition import lists_for

COMPARED_BYTES: Final = 32 * 1024 * 1024
"""An index whose rows take no more than this is compared row by row: that takes about 2 ms."""
_GROWN: Final = 2  # times as many rows as the lists were made from, or as few
_FEW_ROWS: Final = 5_000  # that come are no reason
_ASKED_SHARE: Final = 8  # what came is asked about each time that one row in so many came
_WAITING_ROWS: Final = 2_000
_WAITING_SHARE: Final = 24  # extended when one row in so many is in no list; until then these are scanned
_ASKED: Final = (64, 512)  # of what came; more where the first ones say that rows are lost
_NEAREST: Final = 10
_LOST: Final = 0.02  # of the nearest rows of all that is stored, in lists that a query does not look into


def is_build_due(index: Index, coarse: Coarse | None) -> bool:
    """Tell whether an index should get a coarse index, or a new one."""
    if index.count * (4 * index.dimension + 24) <= COMPARED_BYTES:
        return False
    if coarse is None or coarse.slab != index.slab or (coarse.whole is None and not coarse.encoder.is_whole):
        return True
    if len(coarse.centres) > _GROWN * lists_for(index.count):  # most of what they were made for is gone
        return True
    if coarse.later + index.slots - coarse.end <= _FEW_ROWS:
        return False
    return index.count > _GROWN * coarse.rows or 1 - coarse.reached > _LOST


def is_extension_due(index: Index, coarse: Coarse | None) -> bool:
    """Tell whether so much came that it should be put into the lists."""
    return coarse is not None and index.slots - coarse.end > max(_WAITING_ROWS, index.count // _WAITING_SHARE)


def reached(coarse: Coarse, before: Coarse) -> float:
    """Return which share of the codes nearest to all that are there lies in the lists that a query looks into.

    Those that came later are asked about, by a sample, and the others count as found. While few came since the coarse
    index that was extended to this one, what was known of that one holds.
    """
    step = max(1, len(coarse.codes) // _ASKED_SHARE)
    came = np.flatnonzero(coarse.slots >= coarse.built)
    if not len(came) or (coarse.end - coarse.built) // step == (before.end - before.built) // step:
        return before.reached
    share = 1.0
    for asked in _ASKED:
        found = np.mean([_reached(coarse, int(place)) for place in came[:: max(1, len(came) // asked)]])
        share = 1 - (1 - float(found)) * len(came) / len(coarse.codes)
        if 1 - share <= _LOST:
            break
    return share


def _reached(coarse: Coarse, place: int) -> float:
    asked = coarse.encoder.ask_code(coarse.codes[place : place + 1])
    scores = coarse.codes.scores(asked)
    scores[place] = -np.inf
    lists = np.searchsorted(coarse.starts, best(scores, min(_NEAREST, len(scores) - 1)), side="right") - 1
    return float(np.isin(lists, coarse.nearest_lists(asked, coarse.tuning.first.nprobe)).mean())
