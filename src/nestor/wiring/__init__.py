"""The composition root: settings in, use cases out. The only part of Nestor that knows the engine."""

from nestor.wiring.embedders import nova
from nestor.wiring.nestor import Nestor

__all__ = ["Nestor", "nova"]
