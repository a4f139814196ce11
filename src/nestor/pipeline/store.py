"""The embeddings of one plan into every index, unless its object has become another one meanwhile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from nestor.domain import FULL_DIMENSION, Embedding, Manifest, Modality, Segment, Status
from nestor.errors import EmbeddingFailed, NestorError, ObjectMissing
from nestor.metadata import EXCERPT_BYTES
from nestor.nesting import nest
from nestor.pipeline.excerpts import Excerpts
from nestor.pipeline.results import Result, Results, span_of
from nestor.pipeline.work import Batch, Plan, Work
from nestor.ports import Manifests, Objects, Vectors
from nestor.storing import Embedded, Storing

ROUNDS = 2
"""Times that what a job failed to embed is tried again, one by one."""
TOGETHER = 16
"""Failed segments in one batch at most."""
REPORTED = 50
"""Refused segments that are told in words; the rest are counted."""


class Outcome(StrEnum):
    """What became of a plan."""

    STORED = "stored"
    CHANGED = "changed"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Refused:
    """One segment that has no embedding, and why."""

    segment: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of a plan, in detail."""

    outcome: Outcome
    segments: int = 0
    """Of STORED: those that can be found now."""
    refused: tuple[Refused, ...] = ()
    batches: tuple[Batch, ...] = ()
    """Of RETRY: the ranges in which segments are to be embedded again."""


class _Changed(NestorError):
    """The object is another one, or gone."""


class AssetStore:
    """Stores what was embedded. Doing it twice changes nothing, and two at once end as one."""

    def __init__(
        self, *, objects: Objects, manifests: Manifests, vectors: Vectors, work: Work, results: Results
    ) -> None:
        """Work through these ports; `manifests` must refuse to replace what another wrote meanwhile."""
        self._objects = objects
        self._manifests = manifests
        self._storing = Storing(vectors=vectors, manifests=manifests)
        self._work = work
        self._results = results

    def store(self, plan_key: str, *, job_uri: str | None = None, attempt: int = 0) -> Stored:
        """Put the embeddings into every index, remove stale keys, and say so in the manifest.

        The object is looked at before and after the rows are put: where it changed, the manifest says STORING, so that
        whoever plans it next does not take it for stored. Raises EmbeddingFailed when an embedding is missing,
        ObjectsError (retryable when another wrote the manifest meanwhile), VectorsError.
        """
        plan = self._work.plan(plan_key)
        before = self._manifests.get(plan.object_id)
        if not self._is_current(plan):
            return self._changed(plan, before)
        results = self._all_results(plan, job_uri)
        again = [each.index for each in results if each.retryable] if attempt < ROUNDS else []
        if job_uri and again:
            return Stored(outcome=Outcome.RETRY, batches=tuple(_ranges(again)))
        good = [each for each in results if each.embedding is not None]
        refused = tuple(Refused(each.index, each.reason, each.message) for each in results if each.embedding is None)
        asset = Embedded(
            before=before,
            after=_described(plan.manifest, len(results), refused),
            segments=list(self._segments(plan, good)),
            embeddings=nest(_rows(good)),
        )
        del results, good  # the embeddings at full size are in the asset now
        try:
            self._storing.store([asset], confirm=lambda: self._confirm(plan))
        except _Changed:
            return self._changed(plan, self._manifests.get(plan.object_id))
        return Stored(outcome=Outcome.STORED, segments=len(asset.segments), refused=refused)

    def _is_current(self, plan: Plan) -> bool:
        try:
            return self._objects.info(plan.uri).etag == plan.etag
        except ObjectMissing:
            return False

    def _confirm(self, plan: Plan) -> None:
        if not self._is_current(plan):
            raise _Changed(f"{plan.uri} changed while it was being stored.")

    def _changed(self, plan: Plan, now: Manifest | None) -> Stored:
        """Make sure that the manifest counts every key that this plan may have put, and says that work is left.

        An earlier attempt of ours may have put rows over newer ones before it ended, whatever the manifest says now.
        """
        most = max(plan.manifest.segments, now.segments if now else 0)
        self._manifests.put([replace(now or plan.manifest, status=Status.STORING, segments=most)])
        return Stored(outcome=Outcome.CHANGED)

    def _all_results(self, plan: Plan, job_uri: str | None) -> list[Result]:
        """Return one result for each segment, in order; what was embedded one by one counts before the job's."""
        found = {each.index: each for each in self._results.of_job(job_uri)} if job_uri else dict[int, Result]()
        for uri in self._work.embeddings(plan):
            found |= {each.index: each for each in self._results.of_file(uri)}
        count = max(found, default=-1) + 1 if job_uri else plan.manifest.segments
        if missing := [index for index in range(count) if index not in found]:
            raise EmbeddingFailed(f"{plan.uri} lacks the embedding of segment {missing[0]}: plan it again.")
        return [found[index] for index in range(count)]

    def _segments(self, plan: Plan, results: Sequence[Result]) -> Iterator[Segment]:
        if not plan.job:
            outlines = {outline.index: outline for outline in self._work.outlines(plan)}
            yield from (outlines[each.index] for each in results)
        elif plan.manifest.modality is Modality.TEXT:
            yield from self._texts(plan, results)
        else:
            yield from self._media(plan, results)

    def _texts(self, plan: Plan, results: Sequence[Result]) -> Iterator[Segment]:
        excerpts = Excerpts(self._objects, plan.uri)
        for each in results:
            span = span_of(each, plan)
            start, end = span.start_char or 0, span.end_char or 0
            text = excerpts.cut(start, min(end, start + EXCERPT_BYTES))
            yield Segment(each.index, Modality.TEXT, span, text)

    def _media(self, plan: Plan, results: Sequence[Result]) -> Iterator[Segment]:
        """Yield the job's own segments, each with the text of ours that its middle lies in."""
        outlines = list(self._work.outlines(plan))
        for each in results:
            span = span_of(each, plan)
            middle = ((span.start_seconds or 0) + (span.end_seconds or 0)) / 2
            near = next((one for one in outlines if (one.span.end_seconds or 0) > middle), outlines[-1])
            yield replace(near, index=each.index, span=span)


def _rows(results: Sequence[Result]) -> Embedding:
    rows = np.empty((len(results), FULL_DIMENSION), dtype=np.float32)
    for row, each in zip(rows, results, strict=True):
        row[:] = each.embedding
    return rows


def _ranges(indexes: Sequence[int]) -> Iterator[Batch]:
    for start in range(0, len(indexes), TOGETHER):
        some = indexes[start : start + TOGETHER]
        yield Batch(some[0], some[-1])


def _described(manifest: Manifest, count: int, refused: Sequence[Refused]) -> Manifest:
    told = [f"Segment {each.segment} was not embedded ({each.reason}: {each.message})." for each in refused[:REPORTED]]
    if len(refused) > REPORTED:
        told.append(f"{len(refused) - REPORTED:,} more segments were not embedded.")
    return replace(manifest, segments=count, warnings=(*manifest.warnings, *told))
