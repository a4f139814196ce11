"""Hits as the places in files that they are: what programs and agents are given."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from nestor.domain import Hit, Metadata, Scalar, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One segment of one file, as it was found."""

    key: str
    object_id: str
    segment: int
    """From 0 in its file."""
    uri: str
    file: str
    """The file's name."""
    modality: str
    span: Span
    text: str
    """The beginning of what can be read or heard in it, at most 2,000 bytes; may be empty."""
    similarity: float | None = None
    """Cosine similarity to the question, -1 to 1; None where there was no question."""
    score: float | None = None
    """What a fused search ordered it by, more is better; None elsewhere."""
    collection: str = ""
    tags: tuple[str, ...] = ()

    @property
    def page(self) -> int | None:
        """The page or slide, from 1."""
        return self.span.page

    @property
    def seconds(self) -> tuple[float, float] | None:
        """Start and end in the medium, end exclusive."""
        if self.span.start_seconds is None or self.span.end_seconds is None:
            return None
        return self.span.start_seconds, self.span.end_seconds

    @property
    def path(self) -> Path | None:
        """The file itself, None when it lies elsewhere than on this machine."""
        return path_of(self.uri)

    @property
    def place(self) -> str:
        """The place in the file in a few characters: p. 3, 5-10 s, part 2; empty where it is the whole."""
        if self.page is not None:
            return f"p. {self.page}"
        if self.seconds is not None:
            start, end = (f"{seconds:.1f}".removesuffix(".0") for seconds in self.seconds)
            return f"{start}-{end} s"
        return f"part {self.segment + 1}" if self.segment else ""

    def fields(self) -> dict[str, Scalar | list[str]]:
        """Return all but the text as plain values; what does not apply is left out."""
        everything: dict[str, Scalar | list[str] | None] = {
            "key": self.key,
            "object_id": self.object_id,
            "segment": self.segment,
            "uri": self.uri,
            "file": self.file,
            "modality": self.modality,
            "place": self.place or None,
            "page": self.page,
            "start_seconds": self.span.start_seconds,
            "end_seconds": self.span.end_seconds,
            "similarity": self.similarity,
            "score": self.score,
            "collection": self.collection or None,
            "tags": list(self.tags) or None,
        }
        return {name: value for name, value in everything.items() if value is not None}


def path_of(uri: str) -> Path | None:
    """Return the path of a file on this machine, None for any other address."""
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def moment(hit: Hit) -> Moment:
    """Return the place that the hit is."""
    similarity = None if math.isnan(hit.distance) else hit.similarity
    return described(hit.key, hit.metadata, similarity=similarity, score=hit.score)


def described(key: str, metadata: Metadata, *, similarity: float | None = None, score: float | None = None) -> Moment:
    """Return the place that the key and what is stored beside it tell of."""
    told: dict[str, Any] = dict(metadata)
    names = ("start_char", "end_char", "page", "start_seconds", "end_seconds")
    return Moment(
        key=key,
        object_id=told.get("object_id", key.partition("_segment_")[0]),
        segment=told.get("segment_index", 0),
        uri=told.get("source_uri", ""),
        file=told.get("file_name", ""),
        modality=told.get("modality", ""),
        span=Span(**{name: told.get(name) for name in names}),
        text=told.get("text", ""),
        similarity=similarity,
        score=score,
        collection=told.get("collection", ""),
        tags=tuple(told.get("tags", ())),
    )
