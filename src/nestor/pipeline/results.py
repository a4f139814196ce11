"""Embeddings as files, whoever made them: what the steps need of their format."""

from collections.abc import Iterator
from typing import Protocol

from nestor.domain import Embedding, Modality, Span
from nestor.pipeline.work import Plan


class Result(Protocol):
    """What became of one segment."""

    @property
    def index(self) -> int:
        """Its number, from 0."""
        ...

    @property
    def embedding(self) -> "Embedding | None":
        """Shape (3072,); None where there is none."""
        ...

    @property
    def start_char(self) -> int | None:
        """Where it begins in its text."""
        ...

    @property
    def end_char(self) -> int | None:
        """Where it ends in its text."""
        ...

    @property
    def start_seconds(self) -> float | None:
        """Where it begins in its medium."""
        ...

    @property
    def end_seconds(self) -> float | None:
        """Where it ends in its medium."""
        ...

    @property
    def reason(self) -> str:
        """A short word why there is no embedding; empty where there is one."""
        ...

    @property
    def message(self) -> str:
        """The same in more words."""
        ...

    @property
    def retryable(self) -> bool:
        """Whether the same segment may succeed another time."""
        ...


class Results(Protocol):
    """The files of embeddings. Every method raises EmbeddingFailed for what cannot be understood, and ObjectsError."""

    def of_job(self, uri: str) -> Iterator[Result]:
        """Yield every segment of a completed job, given where it wrote."""
        ...

    def job_below(self, folder: str) -> str:
        """Return where the completed job wrote that was told to write below that folder. Raises EmbeddingFailed."""
        ...

    def of_file(self, uri: str) -> Iterator[Result]:
        """Yield the segments of one file."""
        ...

    def line(
        self, index: int, *, span: Span, embedding: "Embedding | None" = None, reason: str = "", message: str = ""
    ) -> bytes:
        """Return one segment as a line of such a file."""
        ...


def span_of(result: Result, plan: Plan) -> Span:
    """Return where a job's segment lies: as the job tells, else by its number."""
    if plan.manifest.modality is Modality.TEXT:
        return Span(start_char=result.start_char, end_char=result.end_char)
    start, end = result.start_seconds, result.end_seconds
    start = float(result.index * plan.seconds) if start is None else start
    return Span(start_seconds=start, end_seconds=start + plan.seconds if end is None else end)
