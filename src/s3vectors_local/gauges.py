"""What the data of a server looks like now, as lines of metrics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from s3vectors_local.engine import Engine
from s3vectors_local.errors import EngineError
from s3vectors_local.model import Index, SearchState
from s3vectors_local.telemetry import family, gauge, sample

_PAGE: Final = 500  # of buckets and indexes that are counted
_SHOWN: Final = 1_000  # indexes with lines of their own

Value = Callable[[Index, SearchState], float]

# Bytes are of components alone, 4 each. Recall is 1 where every row is compared.
_OF_AN_INDEX: Final[Mapping[str, tuple[str, Value]]] = {
    "s3vectors_index_vectors": ("Vectors of an index.", lambda index, _: index.count),
    "s3vectors_index_component_bytes": (
        "Bytes of an index's components.",
        lambda index, _: 4 * index.count * index.dimension,
    ),
    "s3vectors_index_recall": ("Measured recall@10 of queries by vector.", lambda _, state: state.recall),
    "s3vectors_index_pending_rows": ("Rows that came since the coarse index.", lambda _, state: state.pending),
    "s3vectors_index_dead_rows": ("Rows whose room compaction would give back.", lambda _, state: state.dead),
}


def lines(engine: Engine, *, named: bool) -> list[str]:
    """Return gauges of all indexes together, and where `named` of each; nothing where the data cannot be read."""
    try:
        indexes = _all_indexes(engine)
        found = [
            *gauge("s3vectors_indexes", "Indexes there are.", len(indexes)),
            *gauge("s3vectors_vectors", "Vectors in all indexes.", sum(index.count for index in indexes)),
        ]
        return found + _each(engine, indexes[:_SHOWN]) if named else found
    except EngineError:
        return []


def _each(engine: Engine, indexes: Sequence[Index]) -> list[str]:
    states = [(index, engine.search_state(index)) for index in indexes]
    found: list[str] = []
    for name, (help_, value) in _OF_AN_INDEX.items():
        samples = [sample(name, value(index, state), bucket=index.bucket, index=index.name) for index, state in states]
        found += family(name, "gauge", help_, samples)
    return found


def _all_indexes(engine: Engine) -> list[Index]:
    return [index for bucket in _all(engine.list_buckets) for index in _all(engine.list_indexes, bucket.name)]


def _all(lister: Callable[..., Any], *args: Any) -> list[Any]:
    found, token = [], None
    while True:
        page = lister(*args, limit=_PAGE, token=token)
        found += page.items
        token = page.next_token
        if token is None:
            return found
