"""What is counted of questions, as CloudWatch reads it: see nestor.telemetry."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestor.handlers._runtime import Tools
from nestor.refusals import refusal

if TYPE_CHECKING:
    from nestor.search import Found

FUNCTION = frozenset({"function", "service"})
WAY = frozenset({"strategy", "dimension"})
EMITTED: Mapping[str, frozenset[frozenset[str]]] = {
    **{
        name: frozenset({FUNCTION, WAY})
        for name in (
            *(f"{stage}Latency" for stage in ("Embed", "Vectors", "Fetch", "Rerank", "Scan", "Total")),
            *("Hits", "Requests", "ReturnedBytes", "Candidates"),
            *("Errors", "Throttles", "QuestionCacheHits", "QuestionCacheMisses", "QuestionCacheErrors"),
            *("ShadowsSent", "ShadowsFailed"),
        )
    },
    **{name: frozenset({FUNCTION}) for name in ("ShadowQueries", "ShadowErrors", "StoredSegments", "FailedSegments")},
    "ShadowRecall": frozenset({WAY}),
}
"""Names of metrics, and the sets of dimensions that they come with."""
_WHENCE = {
    "memory": "QuestionCacheHits",
    "store": "QuestionCacheHits",
    "embedder": "QuestionCacheMisses",
    "failed": "QuestionCacheErrors",
}
_SHADOWS = {"sent": "ShadowsSent", "failed": "ShadowsFailed", "compared": "ShadowQueries", "empty": "ShadowQueries"}


class QuestionMetrics:
    """Counts the questions of one call of a function: for the function, and for the strategy at that size."""

    def __init__(self, tools: Tools) -> None:
        """Count with these tools."""
        self._tools = tools

    def answered(self, found: "Found") -> None:
        """Count an answer."""
        self._tools.also(strategy=found.strategy, dimension=str(found.dimension))
        for stage, milliseconds in found.took_ms.items():
            if stage != "total":  # the function's own is counted around everything
                self._tools.took(stage.title(), milliseconds)
        self._tools.count("Hits", len(found.hits))
        self._tools.count("Requests", found.spent.requests)
        self._tools.count("ReturnedBytes", found.spent.returned_bytes)
        self._tools.count("Candidates", found.candidates)

    def failed(self, error: Exception, *, strategy: str = "", dimension: int = 0) -> None:
        """Count what was refused for asking too much; every error is counted by the function itself."""
        if strategy and dimension:
            self._tools.also(strategy=strategy, dimension=str(dimension))
        if refusal(error).status == 429:
            self._tools.count("Throttles")

    def question(self, result: str, error: Exception | None = None) -> None:
        """Count where an embedding came from."""
        self._tools.count(_WHENCE[result])
        if error is not None:
            self._tools.log("question cache failed", error=type(error).__name__, told=str(error)[:500])

    def shadow(self, result: str, *, strategy: str, dimension: int, recall: float | None = None) -> None:
        """Count a shadow query."""
        self._tools.count(_SHADOWS[result])
        if recall is not None:
            self._tools.measure("ShadowRecall", recall, strategy=strategy, dimension=str(dimension))
