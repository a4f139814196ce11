"""What was computed or read before: embeddings of questions, candidates' embeddings, whole answers.

Every cache is bounded by bytes and may be shared by threads. None can give an answer that the store would not have
given: see each one's rule.
"""

from nestor.caches.answers import CachedStrategy, RankingMemory
from nestor.caches.bounded import Bounded, Rate
from nestor.caches.embeddings import KeptEmbeddings
from nestor.caches.questions import CachedEmbedder, Questions, normalised

__all__ = [
    "Bounded",
    "CachedEmbedder",
    "CachedStrategy",
    "KeptEmbeddings",
    "Questions",
    "RankingMemory",
    "Rate",
    "normalised",
]
