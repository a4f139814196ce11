"""The segments of a job that failed, cut once more by ourselves to be embedded one by one."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nestor import media
from nestor.domain import Modality, Reading, Segment, Span
from nestor.errors import ObjectMissing, ObjectsError
from nestor.pipeline.apart import read_apart
from nestor.pipeline.excerpts import Excerpts
from nestor.pipeline.results import Result, Results, span_of
from nestor.pipeline.work import Batch, Plan, Work
from nestor.ports import Objects


class Recut:
    """Cuts what a job could not embed and another call may."""

    def __init__(self, *, objects: Objects, work: Work, results: Results, options: media.ReadOptions) -> None:
        """Work through these ports."""
        self._objects = objects
        self._work = work
        self._results = results
        self._options = options

    def segments(self, plan: Plan, batch: Batch) -> Iterator[Segment]:
        """Yield the failed segments of the batch, in order; one of sound or video whose clip cannot be made has none.

        Raises ObjectsError (retryable when the object changed), UnreadableFile, EmbeddingFailed.
        """
        job = self._results.job_below(self._work.job_folder(plan))
        spans: dict[int, Span] = {}
        failed: list[Result] = []
        for each in self._results.of_job(job):
            spans[each.index] = span_of(each, plan)
            if each.index in batch.indexes and each.retryable:
                failed.append(each)
        failed.sort(key=lambda each: each.index)
        if plan.manifest.modality is Modality.TEXT:
            yield from self._texts(plan, [each.index for each in failed], spans)
        elif failed:
            yield from self._clips(plan, failed)

    def _texts(self, plan: Plan, failed: Sequence[int], spans: Mapping[int, Span]) -> Iterator[Segment]:
        excerpts = Excerpts(self._objects, plan.uri)
        for index in failed:
            span = _between(spans, index)
            yield Segment(index, Modality.TEXT, span, excerpts.cut(span.start_char or 0, span.end_char or 0))

    def _clips(self, plan: Plan, failed: list[Result]) -> Iterator[Segment]:
        modality = plan.manifest.modality or Modality.VIDEO
        outlines = {outline.index: outline for outline in self._whole(plan).segments}
        for each in failed:
            outline = outlines.get(each.index)
            clip = outline.clip if outline else None
            yield Segment(each.index, modality, span_of(each, plan), outline.text if outline else "", clip=clip)

    def _whole(self, plan: Plan) -> Reading:
        options = replace(self._options, clips=True, segment_seconds=plan.seconds)
        with tempfile.TemporaryDirectory(prefix="nestor-") as folder:
            path = Path(folder, f"object{Path(plan.manifest.file_name).suffix[:10]}")
            try:
                self._objects.download(plan.uri, path, etag=plan.etag)
            except ObjectMissing as error:
                raise ObjectsError(f"{plan.uri} changed meanwhile.", code="Changed", retryable=True) from error
            return read_apart(path, options)


def _between(spans: Mapping[int, Span], index: int) -> Span:
    """Return where a text segment lies; of one that the job left out altogether, what its neighbours leave."""
    before, own, after = (spans.get(at, Span()) for at in (index - 1, index, index + 1))
    start = before.end_char if own.start_char is None else own.start_char
    end = after.start_char if own.end_char is None else own.end_char
    return Span(start_char=start or 0, end_char=end)
