"""Embed the segments of one batch and keep what comes of it, refusals included."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nestor.domain import Embedding, Modality, Segment
from nestor.errors import EmbeddingFailed, SegmentsRefused
from nestor.pipeline.recut import Recut
from nestor.pipeline.results import Results
from nestor.pipeline.work import Batch, Plan, Work
from nestor.ports import Embedder


@dataclass(frozen=True, slots=True)
class Counted:
    """How many segments of a batch were embedded and how many refused."""

    embedded: int
    refused: int


class BatchEmbedder:
    """Embeds batches. Doing one twice replaces its embeddings by equal ones."""

    def __init__(self, *, work: Work, embedder: Embedder, results: Results, recut: Recut) -> None:
        """Work through these ports."""
        self._work = work
        self._embedder = embedder
        self._results = results
        self._recut = recut

    def embed(self, plan_key: str, batch: Batch) -> Counted:
        """Keep a line for each segment. Raises EmbedderUnavailable (retryable), EmbeddingFailed, ObjectsError."""
        plan = self._work.plan(plan_key)
        segments = self._failed(plan, batch) if plan.job else self._planned(plan, batch)
        try:
            embeddings, reasons = self._embedder.embed_segments(segments), dict[int, str]()
        except SegmentsRefused as error:
            embeddings, reasons = error.embeddings, error.reasons
        self._work.put_embeddings(plan, batch, b"".join(self._lines(segments, embeddings, reasons)))
        return Counted(len(segments) - len(reasons), len(reasons))

    def _planned(self, plan: Plan, batch: Batch) -> list[Segment]:
        segments = list(self._work.segments(plan, batch))
        if missing := set(batch.indexes) - {segment.index for segment in segments}:
            raise EmbeddingFailed(f"{plan.uri} has no segment {min(missing)}: plan it again.")
        return segments

    def _failed(self, plan: Plan, batch: Batch) -> list[Segment]:
        """Return what a job failed to embed; without its clip a segment of sound or video stays as the job left it."""
        found = self._recut.segments(plan, batch)
        return [segment for segment in found if segment.clip is not None or segment.modality is Modality.TEXT]

    def _lines(self, segments: Sequence[Segment], embeddings: Embedding, reasons: dict[int, str]) -> Iterable[bytes]:
        for position, segment in enumerate(segments):
            if position in reasons:
                reason, _, message = reasons[position].partition(": ")
                yield self._results.line(segment.index, span=segment.span, reason=reason, message=message)
            else:
                yield self._results.line(segment.index, span=segment.span, embedding=embeddings[position])
