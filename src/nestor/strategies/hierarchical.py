"""Candidates from a small index, put in order by the codes that they bring along."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nestor import codes
from nestor.domain import Hit
from nestor.ports import VectorSearch
from nestor.strategies.base import CANDIDATES, COARSE, CODE, Asked, Ranking, Stages, best, check_funnel, plain
from nestor.strategies.refetch import fetch_all, measured


class Hierarchical:
    """The order of the large embedding at the price of the small index: the codes come with the candidates.

    Candidates without a code are measured by their embeddings of the asked size, one request for each 100, and counted
    as fallbacks.
    """

    name = "hierarchical"

    def __init__(
        self, vectors: VectorSearch, *, coarse: int = COARSE[0], candidates: int = CANDIDATES, rerank: int | None = None
    ) -> None:
        """Take that many candidates from the index of `coarse` components, and rerank as many, or fewer.

        Raises InvalidInput.
        """
        check_funnel(coarse, candidates)
        check_funnel(coarse, rerank or candidates)
        self._vectors = vectors
        self._coarse = coarse
        self._candidates = candidates
        self._rerank = rerank or candidates

    def indexes(self, dimension: int) -> tuple[int, ...]:
        """Return the small one; the large one is read for fallbacks alone."""
        del dimension
        return (self._coarse,)

    def search(self, asked: Asked) -> Ranking:
        """Return the nearest candidates. Raises VectorsError for one without code and without embedding."""
        stages = Stages()
        with stages("vectors"):
            found, spent = self._vectors.rank(
                self._coarse,
                embedding=asked.prefix(self._coarse),
                top_k=max(self._candidates, asked.top_k),
                where=asked.where,
            )
        hits = found[: max(self._rerank, asked.top_k)]
        with stages("rerank"):
            coded = {hit.key: content for hit in hits if (content := codes.raw(hit.metadata.get(CODE)))}
            ranked = _by_code(hits, coded, asked)
        without = [hit for hit in hits if hit.key not in coded]
        with stages("fetch"):
            embeddings, cost = fetch_all(self._vectors, asked.dimension, [hit.key for hit in without])
            ranked += measured(without, embeddings, asked)
        return Ranking(
            hits=best(ranked, asked.top_k),
            spent=spent + cost,
            candidates=len(hits),
            fallbacks=len(without),
            stages=stages.took,
        )


def _by_code(hits: Sequence[Hit], coded: Mapping[str, bytes], asked: Asked) -> list[Hit]:
    if not coded:
        return []
    similarity = codes.similarities(list(coded.values()), asked.prefix())
    distances = {key: 1.0 - float(each) for key, each in zip(coded, similarity, strict=True)}
    return [replace(plain(hit), distance=distances[hit.key]) for hit in hits if hit.key in coded]
