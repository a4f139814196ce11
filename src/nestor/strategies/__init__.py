"""How a search runs: strategies behind one small interface."""

from nestor.strategies.base import Asked, Ranking, Strategy
from nestor.strategies.direct import Direct
from nestor.strategies.hierarchical import Hierarchical
from nestor.strategies.hybrid import Hybrid
from nestor.strategies.manual import Manual, Placeholder
from nestor.strategies.named import NAMES, strategy
from nestor.strategies.refetch import Refetch

__all__ = [
    "NAMES",
    "Asked",
    "Direct",
    "Hierarchical",
    "Hybrid",
    "Manual",
    "Placeholder",
    "Ranking",
    "Refetch",
    "Strategy",
    "strategy",
]
