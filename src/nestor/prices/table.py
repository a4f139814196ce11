"""The price list, read from its one data file."""

import functools
import json
from dataclasses import dataclass, fields
from importlib import resources
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPrices:
    """Of S3 objects, in which the placeholder lies."""

    storage_usd_per_gb_month: float
    get_usd_per_1000: float
    put_usd_per_1000: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price list of S3 Vectors."""

    region: str
    read_on: str
    """The day it was read."""
    feed_of: str
    """The day that the list itself tells."""
    bytes_per_kb: int
    """1,000, or 1,024 as in the provider's own example; a GB has its third power."""
    storage_usd_per_gb_month: float
    put_usd_per_gb: float
    put_minimum_kb: float
    request_usd_per_1000: float
    """GetVectors, ListVectors and the like."""
    query_usd_per_million: float
    processed_usd_per_tb: tuple[tuple[float, float], ...]
    """By number of vectors in the index up to which it holds, the last one infinite."""
    returned_usd_per_gb: float
    returned_free_kb: float
    """Of one query."""
    returned_minimum_bytes: int
    """Of one hit."""
    objects: ObjectPrices
    unverified: str

    @property
    def gb(self) -> float:
        """Bytes of a GB."""
        return float(self.bytes_per_kb**3)

    @property
    def tb(self) -> float:
        """Bytes of a TB."""
        return float(self.bytes_per_kb**4)

    def processed_usd(self, vectors: float, *, bytes_each: float) -> float:
        """Return the price of processing the whole of an index once."""
        usd = 0.0
        for (start, _), (end, each) in pairwise(((0.0, 0.0), *self.processed_usd_per_tb)):
            usd += max(0.0, min(vectors, end) - start) * bytes_each / self.tb * each
        return usd


@functools.cache
def prices() -> Prices:
    """Return the price list that comes with this release."""
    found: dict[str, Any] = json.loads(resources.files(__package__).joinpath("us-east-1.json").read_text())
    tiers = tuple((float(tier["up_to_vectors"] or "inf"), tier["usd"]) for tier in found["processed_usd_per_tb"])
    known = {field.name for field in fields(Prices)}
    values = {name: value for name, value in found.items() if name in known}
    return Prices(**values | {"processed_usd_per_tb": tiers, "objects": ObjectPrices(**found["objects"])})
