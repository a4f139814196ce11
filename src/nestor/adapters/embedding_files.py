"""Embeddings as files in the format of Amazon Nova, read and written through an object store."""

from collections.abc import Iterator

from nestor.adapters.nova import results
from nestor.adapters.nova.results import SegmentResult
from nestor.domain import Embedding, Span
from nestor.errors import EmbeddingFailed
from nestor.ports import Objects


class NovaFiles:
    """Every method raises EmbeddingFailed for what cannot be understood, and ObjectsError."""

    def __init__(self, objects: Objects) -> None:
        """Read through this store."""
        self._objects = objects

    def of_job(self, uri: str) -> Iterator[SegmentResult]:
        """Yield every segment of a completed job, given where it wrote."""
        return results.read_job(self._objects, uri)

    def job_below(self, folder: str) -> str:
        """Return where the completed job wrote that was told to write below that folder; of several the last listed."""
        bucket = folder.removeprefix("s3://").partition("/")[0]
        found = [key for key in self._objects.keys(folder) if key.endswith(f"/{results.SUMMARY}")]
        if not found:
            raise EmbeddingFailed(f"No job has completed below {folder}: plan its object again.")
        return f"s3://{bucket}/{found[-1].removesuffix(results.SUMMARY)}"

    def of_file(self, uri: str) -> Iterator[SegmentResult]:
        """Yield the segments of one file."""
        return results.read_lines(self._objects, uri)

    def line(
        self, index: int, *, span: Span, embedding: "Embedding | None" = None, reason: str = "", message: str = ""
    ) -> bytes:
        """Return one segment as a line of such a file."""
        return results.write_line(
            SegmentResult(
                index=index,
                embedding=embedding,
                start_char=span.start_char,
                end_char=span.end_char,
                start_seconds=span.start_seconds,
                end_seconds=span.end_seconds,
                reason=reason,
                message=message,
            )
        )
