"""Makes the coarse index of an index as it is now. On disk it runs as a process of its own: queries do not wait for it.

python -m s3vectors_local.search.build FOLDER INDEX_ID WRITER
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from s3vectors_local.model import Float32, Index, Metric
from s3vectors_local.search.coarse import Coarse, Room, Slots
from s3vectors_local.search.codes import WIDTH, Codes, Encoder, Float64, learned, narrowed, quantised
from s3vectors_local.search.derived import FOLDER, DerivedFiles
from s3vectors_local.search.exact import Exact, Near
from s3vectors_local.search.partition import Each, assigned, centroids, lists_for
from s3vectors_local.search.tuning import QUERIES, Filtered, tuned
from s3vectors_local.storage import records
from s3vectors_local.storage.slab import Rows

_SAMPLE: Final = 10_000
_SELECTED: Final = 10  # the filter that is tried selects one row in so many
_BLOCK_BYTES: Final = 64 * 1024 * 1024
_PROJECTION_ROWS: Final = WIDTH  # projecting a query costs what comparing so many rows does
_SAMPLED_AIM: Final = 0.99
_LOWER_PRIORITY: Final = 10
_LOOK: Final = 1.0  # seconds between two looks whether the writer is there


def build(index: Index, rows: Rows, dead: Slots, *, room: Room = np.zeros, each: Each = map) -> Coarse:
    """Return a new coarse index of the rows in the slots of an index, tuned on rows of its own.

    `room` gives the array, of int8 and full of zeros, that codes of all components are written to; `each` does the
    work on the parts, as `map` does, or in threads.
    """
    alive = _alive(index, dead)
    encoder = chosen_encoder(rows, alive, index)
    generator = np.random.default_rng(index.generation)
    own = np.sort(generator.choice(alive, min(QUERIES, len(alive)), replace=False))
    filtered = np.sort(generator.choice(alive, max(1, len(alive) // _SELECTED), replace=False))
    exact, exact_filtered = (Exact(rows[own]["data"], own, metric=index.metric) for _ in range(2))
    reduced = np.empty((len(alive), encoder.width), np.float32)
    penalties = np.zeros(len(alive), np.float32)
    whole = None if encoder.is_whole else _empty(index, room)

    def read(block: tuple[int, Slots]) -> tuple[Near, Near]:
        start, slots = block
        part = rows.take(slots)
        data, norms = np.ascontiguousarray(part["data"]), part["norm"]
        reduced[start : start + len(slots)] = encoder.reduced(data, norms)
        penalties[start : start + len(slots)] = encoder.penalties(norms)
        if whole is not None:
            encoder.encode_into(whole, data, norms, slots)
        among = np.isin(slots, filtered, assume_unique=True)
        return exact.among(data, norms, slots), exact_filtered.among(data[among], norms[among], slots[among])

    for near, near_filtered in each(read, _blocks(alive, rows.dtype.itemsize)):
        exact.keep(near)
        exact_filtered.keep(near_filtered)
    coarse = replace(arranged(index, encoder, alive, reduced, penalties, each=each), whole=whole)
    under_filter = Filtered(filtered, exact_filtered.nearest())
    return tuned(coarse, rows[own]["data"], exact.nearest(), under_filter, each=each)


def _empty(index: Index, room: Room) -> Codes:
    values = room((index.slots, index.dimension), np.int8)
    return Codes(values, np.zeros(index.slots, np.float32), np.zeros(index.slots, np.float32))


def chosen_encoder(rows: Rows, alive: Slots, index: Index) -> Encoder:
    """Return the encoder that needs the fewest exact comparisons on a sample, a prefix where that is close."""
    prefix = Encoder(index.metric, index.dimension)
    if index.dimension <= WIDTH:
        return prefix
    generator = np.random.default_rng(index.generation)
    sample = rows.take(np.sort(generator.choice(alive, min(_SAMPLE, len(alive)), replace=False)))
    data, norms = np.ascontiguousarray(sample["data"]), sample["norm"]
    unit = data if index.metric is Metric.EUCLIDEAN else np.divide(data, narrowed(norms)[:, None], dtype=np.float32)
    projected = Encoder(index.metric, index.dimension, learned(unit))
    own = np.arange(0, len(data), max(1, len(data) // QUERIES))
    exact = Exact(data[own], own, metric=index.metric)
    exact.add(data, norms, np.arange(len(data)))
    truth = exact.nearest()[:, :10]
    needed = [_needed(encoder, data, norms, own, truth) for encoder in (prefix, projected)]
    return prefix if needed[0] <= needed[1] + _PROJECTION_ROWS else projected


def arranged(
    index: Index, encoder: Encoder, slots: Slots, reduced: Float32, penalties: Float32, *, each: Each = map
) -> Coarse:
    """Return the coarse index of reduced rows, not yet tuned."""
    codes = quantised(reduced, penalties)
    centres = centroids(reduced, lists_for(len(slots)), seed=index.generation, each=each)
    filled, lists = np.unique(assigned(codes, centres, each=each), return_inverse=True)
    centres = centres.take(filled)  # an empty list, of equal rows say, would be probed in vain
    order = np.argsort(lists, kind="stable")
    counts = np.bincount(lists)
    places = np.full(index.slots, -1, np.int32)
    places[slots[order]] = np.arange(len(slots), dtype=np.int32)
    return Coarse(
        index.generation,
        index.slab,
        index.slots,
        encoder,
        centres,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        slots[order].astype(np.int32),
        places,
        codes.take(order),
        built=index.slots,
        rows=len(slots),
    )


def _needed(encoder: Encoder, data: Float32, norms: Float64, own: Slots, truth: Slots) -> float:
    """Return how many candidates reach the aim on a sample."""
    codes = encoder.encode(data, norms)
    ranks: list[int] = []
    for query, mine, nearest in zip(data[own], own.tolist(), truth, strict=True):
        scores = codes.scores(encoder.ask(query))
        scores[mine] = -np.inf
        ranks.extend((scores > scores[nearest][:, None]).sum(axis=1).tolist())
    return float(np.quantile(ranks, _SAMPLED_AIM)) + 1


def _alive(index: Index, dead: Slots) -> Slots:
    alive = np.ones(index.slots, np.bool_)
    alive[dead] = False
    return np.flatnonzero(alive)


def _blocks(slots: Slots, row_bytes: int) -> Iterator[tuple[int, Slots]]:
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, len(slots), step):
        yield start, slots[start : start + step]


def main(folder: str, index_id: str, writer: str) -> None:
    """Build the coarse index of one index of a folder, and leave it for the writer, a process's id, to take over."""
    from s3vectors_local.storage import catalogue, open_store, schema

    threading.Thread(target=_end_with, args=(int(writer),), daemon=True).start()
    os.nice(_LOWER_PRIORITY)
    store = open_store(Path(folder), read_only=True)
    with store.read() as c:
        index = next(each for each in catalogue.all_indexes(c) if each.id == int(index_id))
        files = DerivedFiles(Path(folder) / FOLDER, schema.identity(c))
        rows = store.slabs.slab(index.id, index.slab, dimension=index.dimension).read(index.slots, in_order=True)
        dead = records.dead(c, index)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        built = build(index, rows, dead, room=lambda shape, _: files.room(index, shape), each=threads.map)
    files.hand_over(index, built)
    store.close()


def _end_with(parent: int) -> None:
    """End when the process that started this one has ended, however that came: nobody would take over what is built."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
