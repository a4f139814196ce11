"""What is stored beside each vector."""

from bisect import bisect_right
from itertools import accumulate

import orjson

from nestor.domain import Manifest, Metadata, Scalar, Segment

EXCERPT_BYTES = 2_000
"""UTF-8 bytes of a segment's text kept in its metadata, far below the service's 40 KB for all of it."""

HIT_BYTES = 5_000
"""Of a row with its code, key and metadata as JSON: 100 such hits fit the 512 KB that a query returns for nothing."""


def metadata_of(manifest: Manifest, segment: Segment) -> Metadata:
    """Return what is stored beside the vector: the same for every size, None and empty values left out."""
    span = segment.span
    everything: dict[str, Scalar | list[str] | None] = {
        "object_id": manifest.object_id,
        "modality": str(segment.modality),
        "file_name": manifest.file_name,
        "content_type": manifest.content_type,
        "segment_index": segment.index,
        "start_char": span.start_char,
        "end_char": span.end_char,
        "page": span.page,
        "start_seconds": span.start_seconds,
        "end_seconds": span.end_seconds,
        "uploaded_at": manifest.uploaded_at,
        "collection": manifest.collection or None,
        "tags": list(manifest.tags) or None,
        "source_uri": manifest.uri,
        "text": _excerpt(segment.text) or None,
    }
    return {key: value for key, value in everything.items() if value is not None}


def coded(metadata: Metadata, code: str, *, key: str) -> Metadata:
    """Return the metadata with the code of the full embedding in it, the text cut until a hit has 5,000 bytes.

    Where there is no room without any text, too, as beside a very long address, it comes back as it is, without a code.
    """
    text = str(metadata.get("text", ""))
    rest = {name: value for name, value in metadata.items() if name != "text"} | {"code": code}
    room = HIT_BYTES - len(key) - len(orjson.dumps(rest | {"text": ""}))
    if room < 0:
        return metadata
    kept = _cut(text, room)
    return rest | {"text": kept} if kept else rest


def _cut(text: str, room: int) -> str:
    """Return the beginning of the text that takes so many bytes as JSON, the quotes aside."""
    sizes = list(accumulate(len(orjson.dumps(character)) - 2 for character in text[:room]))
    return text[: bisect_right(sizes, room)].strip()


def readable(name: str) -> str:
    """Return a file name that any document may hold."""
    # Bytes of a file name that are no UTF-8 come from the system as lone surrogates, which no document may hold.
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _excerpt(text: str) -> str:
    # A cut inside a character would leave broken bytes: they are dropped.
    return text.encode("utf-8", "replace")[:EXCERPT_BYTES].decode("utf-8", "ignore").strip()
