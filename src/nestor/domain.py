"""The words of Nestor as frozen values; no I/O."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # the command line starts without NumPy
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = (256, 384, 1024, 3072)
"""The sizes of the nested embedding, each searched in an index of its own."""

FULL_DIMENSION = 3072

PARTLY = "partly:"
"""Begins what an index tells of its embedder until `reindex` has filled it: nobody is to take it for whole."""

Embedding: TypeAlias = "NDArray[np.float32]"
"""One embedding of shape (d,), or a batch of shape (n, d); float32, unit length."""

Scalar: TypeAlias = str | int | float | bool
Metadata: TypeAlias = Mapping[str, Scalar | list[str] | list[int] | list[float]]
Filter: TypeAlias = Mapping[str, object]
"""A filter document in the grammar of S3 Vectors."""


class Modality(StrEnum):
    """What kind of thing a file is, and hence how it is cut into segments."""

    TEXT = "text"
    DOCUMENT = "document"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Span:
    """Where a segment lies in its asset. Only what applies to the modality is set; the rest is None.

    Characters count from 0 in the decoded text, end exclusive. Pages (and slides) count from 1.
    Seconds count from the start of the media, end exclusive.
    """

    start_char: int | None = None
    end_char: int | None = None
    page: int | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of an asset that gets one embedding."""

    index: int
    """From 0, without gaps."""
    modality: Modality
    span: Span
    text: str
    """What can be read or heard in it (content, caption, transcript, tags, file name); may be empty."""
    image: bytes | None = None
    """JPEG of the image, the page or the keyframe, its longer side 768 pixels unless the reader was asked for more."""
    clip: bytes | None = None
    """The seconds themselves as a small file (MP4 for video, MP3 or WAV for audio), where the reader was asked for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found in one file."""

    modality: Modality
    content_type: str
    """MIME type by content, not by name."""
    segments: tuple[Segment, ...]
    """At least one."""
    warnings: tuple[str, ...] = ()
    """What was left out or guessed, in words for the user; the file was still read."""
    duration_seconds: float | None = None
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One result of a search. similarity = 1 - distance for cosine."""

    key: str
    distance: float
    metadata: Metadata
    score: float | None = None
    """What a fused search ordered it by, more is better; None where the distance decided."""

    @property
    def similarity(self) -> float:
        """Cosine similarity, -1 to 1."""
        return 1.0 - self.distance


class Status(StrEnum):
    """How far an asset has come."""

    STORING = "storing"
    STORED = "stored"
    FAILED = "failed"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is stored for one asset; makes ingest idempotent, resumable and deletable.

    `segments` is the number of keys that may exist in every index while the status is STORING or DELETING
    (the larger of the old and the new count), and the number of segments, those refused counted, once it is STORED.
    """

    uri: str
    status: Status
    segments: int
    content_hash: str = ""
    """SHA-256 over the file, what lies beside it, and the settings that shape its segments."""
    embedder: str = ""
    dimensions: tuple[int, ...] = DIMENSIONS
    modality: Modality | None = None
    content_type: str = ""
    file_name: str = ""
    size_bytes: int = 0
    collection: str = ""
    tags: tuple[str, ...] = ()
    uploaded_at: int = 0
    """Epoch seconds of the first ingest."""
    reason: str = ""
    """Why it failed; empty otherwise."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def object_id(self) -> str:
        """The asset's stable id."""
        return object_id(self.uri)


def file_uri(path: Path) -> str:
    """Return the address of a file: absolute, without `..`, links not followed."""
    return Path(os.path.abspath(path)).as_uri()  # noqa: PTH100 - pathlib's absolute() keeps `..`


def object_id(uri: str) -> str:
    """Return the stable id of the asset at `uri`: 24 hexadecimal digits, equal for equal addresses."""
    return hashlib.blake2b(uri.encode(), digest_size=12).hexdigest()


def segment_key(object_id: str, index: int) -> str:
    """Return the key under which segment `index` of the asset is stored in every index."""
    return f"{object_id}_segment_{index}"
