"""What searching costs in an AWS account: the price list, the formula, and plans compared."""

from nestor.prices.formula import Index, Query, load_usd, query_usd, storage_usd
from nestor.prices.plan import BreakEven, Plan, Priced, break_evens, everything, priced
from nestor.prices.table import Prices, prices

__all__ = [
    "BreakEven",
    "Index",
    "Plan",
    "Priced",
    "Prices",
    "Query",
    "break_evens",
    "everything",
    "load_usd",
    "priced",
    "prices",
    "query_usd",
    "storage_usd",
]
