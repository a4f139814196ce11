"""What an asynchronous job left in S3, and the same lines written by ourselves: segment by segment, none dropped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from nestor.domain import FULL_DIMENSION, Embedding
from nestor.errors import EmbedderUnavailable, EmbeddingFailed
from nestor.ports import Objects

SUMMARY: Final = "segmented-embedding-result.json"
MISSING: Final = "MISSING"
"""The reason of a segment that the output lacks although later ones are there; ours, the model knows no such word."""

_RETRYABLE: Final = frozenset({"RATE_LIMIT_EXCEEDED", "INTERNAL_SERVER_EXCEPTION", MISSING})
_FAILED: Final = frozenset({"FAILURE", "FAILED"})
_COMBINED: Final = "AUDIO_VIDEO_COMBINED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentResult:
    """One segment as the model cut it: its embedding, or why there is none."""

    index: int
    embedding: "Embedding | None" = None
    """Shape (3072,), unit length as far as the model gives it; None where it failed."""
    start_char: int | None = None
    end_char: int | None = None
    """As the model wrote it: its guide does not say whether the last character is inside."""
    start_seconds: float | None = None
    end_seconds: float | None = None
    truncated: int | None = None
    """Characters after which the text was cut; None when all of it was read."""
    reason: str = ""
    """The model's word for the failure, such as INVALID_CONTENT; empty where it succeeded."""
    message: str = ""

    @property
    def retryable(self) -> bool:
        """Whether the same segment may succeed another time."""
        return self.reason in _RETRYABLE


def read_job(objects: Objects, output_uri: str) -> Iterator[SegmentResult]:
    """Yield every segment of a completed job, given the `s3Uri` that GetAsyncInvoke returns; a line at a time.

    Failed segments and those that are missing between others come too, with their reason. Raises EmbeddingFailed when
    the whole job failed (EmbedderUnavailable when it may succeed another time) or its output cannot be understood,
    ObjectsError when it cannot be read.
    """
    summary = f"{output_uri.rstrip('/')}/{SUMMARY}"
    entry = _entry(_object(objects.get(summary), where=summary), where=summary)
    file = entry.get("outputFileUri")
    if not isinstance(file, str) or not file:
        raise _failed(entry, where=summary)
    seen: set[int] = set()
    failed = 0
    for result in read_lines(objects, file):
        if result.index in seen:
            raise EmbeddingFailed(f"{file} has segment {result.index} twice: read the job again, or start another.")
        seen.add(result.index)
        failed += result.embedding is None
        yield result
    if not seen:
        raise _failed(entry, where=file)
    lost = sorted(set(range(max(seen) + 1)) - seen)
    if entry.get("status") != "SUCCESS" and not failed and not lost:
        raise EmbeddingFailed(f"{summary} says {entry.get('status')}, and {file} does not tell what failed.")
    for index in lost:
        yield SegmentResult(index=index, reason=MISSING, message=f"It is not in {file}.")


def read_lines(objects: Objects, uri: str) -> Iterator[SegmentResult]:
    """Yield the segments of one output file, JSON lines or a single JSON document (`.json`), in its own order.

    Raises EmbeddingFailed for a line that cannot be understood, ObjectsError.
    """
    if uri.endswith(".json"):
        yield parse_line(objects.get(uri), where=uri)
        return
    number = 0
    for line in objects.lines(uri):
        if line.strip():
            yield parse_line(line, where=uri, number=number)
            number += 1


def parse_line(line: bytes, *, where: str = "the output", number: int = 0) -> SegmentResult:
    """Return the segment that a line tells of; `number`, its place in the file, counts where it has no index.

    Understands the names of the guide and those of AWS's blog (`startTime`). Raises EmbeddingFailed.
    """
    document = _object(line, where=f"line {number + 1} of {where}")
    told = document.get("segmentMetadata") or {}
    if not isinstance(told, dict):
        raise EmbeddingFailed(f"Line {number + 1} of {where} has a segmentMetadata that is no object.")
    index = _first(told, "segmentIndex")
    numbers = document.get("embedding")
    failed = document.get("status") in _FAILED or not numbers
    return SegmentResult(
        index=number if index is None else int(index),
        embedding=None if failed else _embedding(numbers, where=f"line {number + 1} of {where}"),
        start_char=_first(told, "segmentStartCharPosition"),
        end_char=_first(told, "segmentEndCharPosition"),
        start_seconds=_first(told, "segmentStartSeconds", "startTime"),
        end_seconds=_first(told, "segmentEndSeconds", "endTime"),
        truncated=_first(told, "truncatedCharLength"),
        reason=str(document.get("failureReason") or "UNKNOWN") if failed else "",
        message=str(document.get("message") or "") if failed else "",
    )


def write_line(result: SegmentResult) -> bytes:
    """Return the segment as a line of the model's own output, its newline included."""
    told = {
        "segmentIndex": result.index,
        "segmentStartCharPosition": result.start_char,
        "segmentEndCharPosition": result.end_char,
        "segmentStartSeconds": result.start_seconds,
        "segmentEndSeconds": result.end_seconds,
        "truncatedCharLength": result.truncated,
    }
    document: dict[str, Any] = {
        "segmentMetadata": {name: value for name, value in told.items() if value is not None},
    }
    if result.embedding is None:
        document |= {"status": "FAILURE", "failureReason": result.reason, "message": result.message}
    else:
        row = np.ascontiguousarray(result.embedding, dtype=np.float32)
        document |= {"status": "SUCCESS", "embedding": row}
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


def _entry(summary: Mapping[str, Any], *, where: str) -> Mapping[str, Any]:
    """Return what is told of the one kind of embedding that was asked for."""
    dimension = summary.get("embeddingDimension", FULL_DIMENSION)
    if dimension != FULL_DIMENSION:
        raise EmbeddingFailed(f"{where} tells of embeddings of {dimension} components, not {FULL_DIMENSION}.")
    entries = [entry for entry in summary.get("embeddingResults") or () if isinstance(entry, dict)]
    combined = [entry for entry in entries if entry.get("embeddingType") == _COMBINED]
    chosen = combined if len(entries) > 1 else entries
    if len(chosen) != 1:
        kinds = ", ".join(str(entry.get("embeddingType")) for entry in entries) or "nothing"
        raise EmbeddingFailed(f"{where} tells of {kinds}, where one kind of embedding was asked for.")
    return chosen[0]


def _failed(entry: Mapping[str, Any], *, where: str) -> EmbeddingFailed:
    reason = str(entry.get("failureReason") or "UNKNOWN")
    text = f"The model embedded no segment ({reason}: {entry.get('message') or 'nothing else is told'}), says {where}."
    return EmbedderUnavailable(text) if reason in _RETRYABLE else EmbeddingFailed(text)


def _object(content: bytes, *, where: str) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise EmbeddingFailed(f"{where} is no JSON ({error}): it may be cut off.") from error
    if not isinstance(document, dict):
        raise EmbeddingFailed(f"{where} is no JSON object.")
    return document


def _embedding(numbers: Any, *, where: str) -> Embedding:
    try:
        row = np.asarray(numbers, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EmbeddingFailed(f"{where} has an embedding that is no list of numbers.") from error
    if row.shape != (FULL_DIMENSION,) or not np.isfinite(row).all() or not row.any():
        raise EmbeddingFailed(f"{where} has an embedding of shape {row.shape} that cannot be used.")
    return row


def _first(told: Mapping[str, Any], *names: str) -> Any:
    return next((told[name] for name in names if told.get(name) is not None), None)
