"""Every size and strategy on the user's own data: quality against exhaustive search, time, bytes and price."""

from nestor.compare.measuring import Contender, Measured, contenders, measure, ndcg, recall
from nestor.compare.truth import TIE, Sample, Store, Truth, exhaustive, sampled
from nestor.compare.verdict import TARGET, Advice, Comparison, advice, conclude

__all__ = [
    "TARGET",
    "TIE",
    "Advice",
    "Comparison",
    "Contender",
    "Measured",
    "Sample",
    "Store",
    "Truth",
    "advice",
    "conclude",
    "contenders",
    "exhaustive",
    "measure",
    "ndcg",
    "recall",
    "sampled",
]
