"""Vector libraries behind one shape, so that one procedure measures them all."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.contenders.contender import Built, Contender, Where

__all__ = ["ENTRIES", "Built", "Contender", "Entry", "Where", "make"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a contender's class is. `own` ones run in this environment, the others in that of the peers."""

    place: str
    own: bool = False
    stored_by: str | None = None
    """The entry whose folder it opens, where it does not build one."""


ENTRIES: Final[Mapping[str, Entry]] = {
    "engine": Entry("engine_inside:EngineInside", own=True),
    "engine, raw HTTP": Entry("engine_http:Raw", own=True, stored_by="engine"),
    "engine, Nestor client": Entry("engine_http:NestorClient", own=True, stored_by="engine"),
    "engine, plain boto3": Entry("engine_http:PlainBoto3", own=True, stored_by="engine"),
    "NumPy exact": Entry("numpy_exact:NumpyExact"),
    "FAISS HNSW": Entry("faiss_indexes:FaissHnsw"),
    "FAISS IVF": Entry("faiss_indexes:FaissIvf"),
    "zvec HNSW": Entry("zvec_hnsw:ZvecHnsw"),
    "LanceDB IVF": Entry("lancedb_ivf:LancedbIvf"),
    "usearch HNSW": Entry("usearch_hnsw:UsearchHnsw"),
    "hnswlib HNSW": Entry("hnswlib_hnsw:HnswlibHnsw"),
}
"""By the name in the tables."""


def make(name: str) -> Contender:
    """Return a contender. Raises ImportError where its library is not installed."""
    module, _, kind = ENTRIES[name].place.partition(":")
    made: Contender = getattr(importlib.import_module(f"bench.contenders.{module}"), kind)()
    return made
