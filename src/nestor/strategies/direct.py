"""One index, asked once."""

from nestor.ports import VectorSearch
from nestor.strategies.base import Asked, Ranking, Stages, plain


class Direct:
    """Asks the index of the asked size; answers over 100 hits come in pages."""

    name = "direct"

    def __init__(self, vectors: VectorSearch) -> None:
        """Search these indexes."""
        self._vectors = vectors

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return that size."""
        return (dimension,)

    def search(self, asked: Asked) -> Ranking:
        """Return what the index answers."""
        stages = Stages()
        with stages("vectors"):
            hits, spent = self._vectors.rank(
                asked.dimension, embedding=asked.prefix(), top_k=asked.top_k, where=asked.where
            )
        return Ranking(hits=tuple(map(plain, hits)), spent=spent, stages=stages.took)
