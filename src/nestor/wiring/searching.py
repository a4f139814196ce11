"""Questions in, hits out."""

import functools
import logging
from typing import TYPE_CHECKING

from nestor.search import Search
from nestor.wiring.home import Home

if TYPE_CHECKING:
    from nestor.answer import Answers, Asked
    from nestor.caches import CachedEmbedder, KeptEmbeddings, RankingMemory
    from nestor.strategies import Strategy
    from nestor.telemetry import Prometheus

_log = logging.getLogger(__name__)


class Searching(Home):
    """Searches of one home."""

    _question_failed = False

    @functools.cached_property
    def search(self) -> Search:
        """Questions in, hits out; the embeddings of questions in words are remembered in memory."""
        return Search(embedder=self.questions, vectors=self.vectors)

    @functools.cached_property
    def answers(self) -> "Answers":
        """Questions to answers, counted in `metrics`; some are asked again beside it, as the settings say."""
        from nestor.answer import Answers
        from nestor.shadow import Beside, Sampler, Shadow

        sampler = Sampler(self.settings.shadow_rate)
        shadows = Beside(Shadow(self.vectors), sampler=sampler, metrics=self.metrics)
        self._closing.callback(shadows.close)
        return Answers(
            search=self.search, strategy=self._asked_for, vectors=self.vectors, metrics=self.metrics, shadows=shadows
        )

    @functools.cached_property
    def metrics(self) -> "Prometheus":
        """What was counted of questions. Raises MissingExtra."""
        from nestor.telemetry import Prometheus

        return Prometheus()

    @functools.cached_property
    def questions(self) -> "CachedEmbedder":
        """The embedder of questions, which remembers: its `rate` tells how often."""
        from nestor.caches import CachedEmbedder

        store = None
        if self.settings.keeps_questions:
            from nestor.adapters.question_file import QuestionFile

            store = QuestionFile(self.settings.home / "questions.sqlite")
        return CachedEmbedder(self.embedder, store=store, told=self._question_told)

    def _question_told(self, result: str, error: Exception | None) -> None:
        # A command that counts nothing does not load what counts.
        if "metrics" in self.__dict__:
            self.metrics.question(result, error)
        elif error is not None and not self._question_failed:
            self._question_failed = True
            _log.warning("note: %s", error)

    def _asked_for(self, asked: "Asked") -> "Strategy":
        made = self.strategy(asked.strategy, coarse=asked.coarse, candidates=asked.candidates)
        if not self.settings.result_cache_seconds or made.name == "manual":
            return made
        from nestor.caches import CachedStrategy

        return CachedStrategy(
            made,
            seconds=self.settings.result_cache_seconds,
            memory=self._rankings,
            options=(asked.coarse, asked.candidates),
        )

    @functools.cached_property
    def _rankings(self) -> "RankingMemory":
        from nestor.caches import RankingMemory

        return RankingMemory()

    @functools.cached_property
    def kept(self) -> "KeptEmbeddings":
        """Candidates' embeddings that `refetch` read before."""
        from nestor.caches import KeptEmbeddings

        return KeptEmbeddings()

    def strategy(
        self,
        name: str | None = None,
        *,
        coarse: int = 256,
        candidates: int = 100,
        placeholder: str | None = None,
    ) -> "Strategy":
        """Return the strategy of that name; without one that which a rollback chose for this home, else `direct`.

        `placeholder` is the folder or `s3://bucket/prefix` that `manual` scans. Raises InvalidInput.
        """
        from nestor import strategies
        from nestor.migration.switch import chosen
        from nestor.scan import Scan

        choice = chosen(self.settings.home) if name is None or placeholder is None else None
        wanted = name or (choice.strategy if choice else "direct")
        address = placeholder or (choice.placeholder if choice else None)
        manual = wanted == "manual" and address is not None
        return strategies.strategy(
            wanted,
            self.vectors,
            coarse=coarse,
            candidates=candidates,
            kept=self.kept,
            placeholder=Scan(self.placeholder(address)) if manual and address else None,
        )
