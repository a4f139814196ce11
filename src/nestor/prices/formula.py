"""The price formula of one index; pure. Bytes are logical ones, averages of a vector; results are US dollars."""

from dataclasses import dataclass

from nestor.prices.table import Prices

FLOAT_BYTES = 4
BATCH = 500
"""Vectors of one PutVectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """So many vectors of one size."""

    vectors: float
    dimension: int
    filterable_bytes: float
    """Key and filterable metadata."""
    carried_bytes: float = 0.0
    """Non-filterable metadata: stored and returned, not processed."""

    @property
    def stored_bytes(self) -> float:
        """Of one vector."""
        return self.processed_bytes + self.carried_bytes

    @property
    def processed_bytes(self) -> float:
        """Of one vector, for each query."""
        return FLOAT_BYTES * self.dimension + self.filterable_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What one search asks of an index."""

    hits: int
    """That come back: the candidates, where there is a second stage."""
    fetches: float = 0.0
    """GetVectors requests that follow."""


def storage_usd(index: Index, prices: Prices) -> float:
    """Return the price of keeping it for a month."""
    return index.vectors * index.stored_bytes / prices.gb * prices.storage_usd_per_gb_month


def load_usd(index: Index, prices: Prices, *, batch: int = BATCH) -> float:
    """Return the price of putting all of it once, in batches of so many vectors."""
    least = prices.put_minimum_kb * prices.bytes_per_kb
    full, rest = divmod(index.vectors, batch)
    bytes_ = full * max(batch * index.stored_bytes, least) + (max(rest * index.stored_bytes, least) if rest else 0)
    return bytes_ / prices.gb * prices.put_usd_per_gb


def query_usd(index: Index, query: Query, prices: Prices) -> float:
    """Return the price of one search: a request for each 100 hits, the whole index processed once, what comes back."""
    pages = max(1, -(-query.hits // 100))
    each = max(prices.returned_minimum_bytes, index.stored_bytes - FLOAT_BYTES * index.dimension)
    returned = max(0.0, query.hits * each - prices.returned_free_kb * prices.bytes_per_kb)
    return (
        pages * prices.query_usd_per_million / 1e6
        + prices.processed_usd(index.vectors, bytes_each=index.processed_bytes)
        + returned / prices.gb * prices.returned_usd_per_gb
        + query.fetches * prices.request_usd_per_1000 / 1e3
    )
