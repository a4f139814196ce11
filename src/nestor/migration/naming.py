"""The placeholder's metadata in our words, and ours in the placeholder's; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

from nestor.domain import Manifest, Metadata, Modality, Segment, Span, Status
from nestor.metadata import EXCERPT_BYTES
from nestor.migration.placeholder import Place
from nestor.outcome import LABEL_BYTES

UNADDRESSED: Final = "placeholder:"
"""Begins the address of an asset whose metadata names none."""

_NAME_BYTES, _TYPE_BYTES, _URI_BYTES = 255, 127, 4_096
"""UTF-8 bytes. Names, labels and numbers together stay below the 2,048 bytes of filterable metadata."""

_SPAN: Final[Mapping[str, tuple[str, type[int] | type[float]]]] = {
    "start_char": ("segmentStartCharPosition", int),
    "end_char": ("segmentEndCharPosition", int),
    "page": ("processedPage", int),
    "start_seconds": ("segmentStartSeconds", float),
    "end_seconds": ("segmentEndSeconds", float),
}
"""Our fields of a place, and how the placeholder calls and counts them."""

_IMPLIED: Final = frozenset({"objectId", "segmentIndex", "embeddingDimension", "fileType"})
"""What the path or the file name tells, too."""

_PAGE_OF = re.compile(r"(?P<whole>.+)_page_(?P<page>[1-9]\d{0,8})")
"""The placeholder made an asset of each page of a document."""

_KINDS = (Modality.VIDEO, Modality.IMAGE, Modality.AUDIO, Modality.DOCUMENT, Modality.TEXT)
"""In this order: a film embedded with its sound is AUDIO_VIDEO_COMBINED."""

_MOST_NUMBER = 1e15
"""Beyond it float64 begins to skip integers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the metadata of one object says."""

    manifest: Manifest
    """Of its asset, as if this were the only segment."""
    segment: Segment
    version: str
    """Equal for what one upload of the asset stored."""
    stamp: str
    """When that was; what was stored later compares greater."""
    trimmed: Mapping[str, str] = field(default_factory=dict)
    """What was left out or cut, by the placeholder's name, and why."""


def describe(metadata: Mapping[str, Any], place: Place) -> Described:
    """Return what the metadata says; what cannot be used is left out and told in `trimmed`, never fatal."""
    read = _Reader(metadata)
    span = Span(**{ours: read.number(theirs, kind) for ours, (theirs, kind) in _SPAN.items()})
    version, index = _version(place, span.page)
    modality = read.modality()
    text = read.text("text", most=EXCERPT_BYTES)
    manifest = _manifest(read, place, modality)
    segment = Segment(index, modality, span, text)
    return Described(manifest=manifest, segment=segment, version=version, stamp=read.stamp(), trimmed=read.told())


def told(metadata: Metadata, manifest: Manifest, *, dimension: int, now: datetime) -> dict[str, Any]:
    """Return the metadata of one of our segments by the placeholder's names, ours where it had none.

    `describe` of it gives the segment and the manifest back.
    """
    uploaded = datetime.fromtimestamp(manifest.uploaded_at, UTC).isoformat() if manifest.uploaded_at else None
    everything = {
        "sourceS3Uri": manifest.uri,
        "fileName": manifest.file_name,
        "fileType": PurePosixPath(manifest.file_name).suffix.lower(),
        "fileSize": manifest.size_bytes,
        "uploadTimestamp": uploaded,
        "contentType": manifest.content_type,
        "objectId": manifest.object_id,
        "segmentIndex": metadata.get("segment_index"),
        "modalityType": str(metadata.get("modality", "")).upper(),
        "embeddingDimension": dimension,
        "processingTimestamp": now.isoformat(),
        "isPdf": True if manifest.content_type == "application/pdf" else None,
        **{theirs: metadata.get(ours) for ours, (theirs, _) in _SPAN.items()},
        "collection": manifest.collection or None,
        "tags": list(manifest.tags) or None,
        "text": metadata.get("text"),
        "embedder": manifest.embedder or None,
        "contentHash": manifest.content_hash or None,
    }
    return {name: value for name, value in everything.items() if value is not None}


def _version(place: Place, page: int | None) -> tuple[str, int]:
    """Return what the uploads of an asset are told apart by, and the segment's number in the whole asset."""
    page_of = _PAGE_OF.fullmatch(place.asset)
    if page is not None and page_of and int(page_of["page"]) == page and place.segment == 0:
        return page_of["whole"], page - 1
    return place.asset, place.segment


def _manifest(read: "_Reader", place: Place, modality: Modality) -> Manifest:
    uri = read.text("sourceS3Uri", whole=_URI_BYTES)
    collection, tags = read.labels()
    name = read.text("fileName", most=_NAME_BYTES)
    return Manifest(
        # Of a document that was turned into text first, the document is the asset.
        uri=read.text("originalDocUri", whole=_URI_BYTES) or uri or UNADDRESSED + place.asset,
        status=Status.STORED,
        segments=1,
        content_hash=read.text("contentHash", whole=_NAME_BYTES),
        embedder=read.text("embedder", whole=_NAME_BYTES),
        modality=modality,
        content_type=read.text("contentType", most=_TYPE_BYTES),
        file_name=read.text("originalFileName", most=_NAME_BYTES) or name,
        size_bytes=read.number("fileSize", int) or 0,
        collection=collection,
        tags=tags,
        uploaded_at=read.moment("uploadTimestamp"),
    )


class _Reader:
    """Reads metadata in which numbers may be texts and anything may be wrong; notes what it cannot use."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self._metadata = metadata
        self._used = set(_IMPLIED)
        self._trimmed: dict[str, str] = {}

    def told(self) -> dict[str, str]:
        """Return what was trimmed, and what nobody asked for."""
        left = sorted(self._metadata.keys() - self._used)
        return self._trimmed | {name[:80]: "has no place in the new metadata" for name in left}

    def text(self, name: str, *, most: int | None = None, whole: int | None = None) -> str:
        """Return a text: cut to `most` bytes, or only if it has at most `whole`; empty when there is none."""
        value = self._get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            return self._trim(name, "is no text")
        size = len(value.encode())
        if whole is not None and size > whole:
            return self._trim(name, f"is longer than {whole:,} bytes")
        if most is None or size <= most:
            return value
        self._trim(name, f"is cut to {most:,} bytes")
        return value.encode()[:most].decode(errors="ignore")

    def number(self, name: str, kind: type[int] | type[float]) -> Any:
        """Return a number of that kind, None when there is none."""
        value = self._get(name)
        try:
            number = None if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is not None and 0 <= number < _MOST_NUMBER:
            return kind(number)
        if value is not None:
            self._trim(name, "is no number that can be kept")
        return None

    def moment(self, name: str) -> int:
        """Return the epoch seconds of a moment that is written as ISO 8601 or as such seconds; 0 when there is none."""
        value = self._get(name)
        if isinstance(value, str) and not value.isdecimal():
            try:
                moment = datetime.fromisoformat(value)
                return max(0, int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))
            except (ValueError, OverflowError):
                self._trim(name, "is no moment")
                return 0
        return self.number(name, int) or 0

    def stamp(self) -> str:
        """Return when the object was written, as it is written there."""
        return str(self._get("processingTimestamp") or self._get("uploadTimestamp") or "")

    def modality(self) -> Modality:
        """Return the modality, a document where nothing tells."""
        kind, content_type = self.text("modalityType"), self._metadata.get("contentType")
        if any(str(self._get(name)).lower() == "true" for name in ("isPdf", "isDocx")):
            return Modality.DOCUMENT
        for name in (kind.lower(), str(content_type).lower()):
            if found := next((each for each in _KINDS if each in name), None):
                return found
        return Modality.DOCUMENT

    def labels(self) -> tuple[str, tuple[str, ...]]:
        """Return the collection and the tags, as far as they fit."""
        collection, given = self.text("collection", most=_NAME_BYTES), self._get("tags")
        room = LABEL_BYTES - 4 - len(collection.encode())
        tags: list[str] = []
        for tag in given if isinstance(given, list) else [given] if given else []:
            size = 4 + len(tag.encode()) if isinstance(tag, str) and tag.strip() else room + 1
            if size > room:
                self._trim("tags", f"lack {str(tag)[:80]!r}")
            else:
                tags.append(tag)
                room -= size
        return collection, tuple(tags)

    def _get(self, name: str) -> Any:
        self._used.add(name)
        value = self._metadata.get(name)
        return None if value == "" else value

    def _trim(self, name: str, why: str) -> str:
        self._trimmed[name] = why
        return ""
