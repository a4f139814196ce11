"""The placeholder's objects: one JSON document a segment and size, in either of its two layouts; pure.

folders: `embeddings-<d>d/<asset>/segment_<n>.json` holds `embedding` and `metadata`.
flat: `embeddings-<d>d/<asset>_segment_<n>.json` holds `vector` and `metadata`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from nestor.errors import InvalidEmbedding, NestorError
from nestor.nesting import nest

if TYPE_CHECKING:
    from nestor.domain import Embedding

FOLDERS: Final = "folders"
FLAT: Final = "flat"

ROUNDING: Final = 1e-3
"""An embedding whose length is this near to 1 is kept bit for bit."""

MOST_SEGMENTS: Final = 1_000_000
"""Of one asset. What removes or writes back an asset counts up to its last segment."""

_PATHS: Final = (
    (FOLDERS, re.compile(r"[^/]*?(?P<size>\d{1,5})d/(?P<asset>[^/]+)/segment_(?P<segment>\d{1,9}|None)\.json")),
    (FLAT, re.compile(r"[^/]*?(?P<size>\d{1,5})d/(?P<asset>[^/]+)_segment_(?P<segment>\d{1,9}|None)\.json")),
)


class Damaged(NestorError):
    """An object that cannot be moved; the text says why, `reason` is a short word for tables.

    Reasons: missing, broken (no JSON), shape, length, numbers, zero, size, embedder, duplicate, incomplete, segment.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep the short reason beside the text."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """What the path of an object tells."""

    asset: str
    """As the placeholder names it."""
    segment: int
    dimension: int
    layout: str = FOLDERS


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an object holds."""

    embedding: "Embedding"
    """Of unit length; bit for bit as it was where it was so already."""
    metadata: Mapping[str, Any]
    """By the placeholder's names."""


def place_of(path: str) -> Place | None:
    """Return what the path tells, None when it is no object of the placeholder."""
    for layout, pattern in _PATHS:
        if found := pattern.fullmatch(path):
            # The placeholder wrote None where the embedder told no number, as for pictures.
            segment = 0 if found["segment"] == "None" else int(found["segment"])
            return Place(found["asset"], segment, int(found["size"]), layout)
    return None


def path_of(place: Place) -> str:
    """Return the path of an object."""
    between = "/" if place.layout == FOLDERS else "_"
    return f"embeddings-{place.dimension}d/{place.asset}{between}segment_{place.segment}.json"


def parse(content: bytes, *, dimension: int) -> Parsed:
    """Return what the object holds. Raises Damaged, saying in what it is wrong."""
    found = _document(content)
    numbers = found.get("embedding", found.get("vector"))
    if not isinstance(numbers, list):
        raise Damaged("It has neither an embedding nor a vector.", reason="shape")
    return Parsed(_embedding(numbers, dimension=dimension), _metadata(found))


def metadata_of(content: bytes) -> Mapping[str, Any]:
    """Return the metadata alone, empty when there is none. Raises Damaged."""
    return _metadata(_document(content))


def document(embedding: "Embedding", metadata: Mapping[str, Any], *, layout: str = FOLDERS) -> bytes:
    """Return the object: the shortest digits that give the same float32."""
    name = "embedding" if layout == FOLDERS else "vector"
    return orjson.dumps({name: embedding, "metadata": metadata}, option=orjson.OPT_SERIALIZE_NUMPY)


def _document(content: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Damaged(f"It is no JSON document: {error}.", reason="broken") from error
    if not isinstance(found, dict):
        raise Damaged("It holds no JSON object.", reason="shape")
    return found


def _metadata(found: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = found.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise Damaged("Its metadata is no JSON object.", reason="shape")
    return metadata


def _embedding(numbers: list[Any], *, dimension: int) -> "Embedding":
    if len(numbers) != dimension:
        raise Damaged(f"Its embedding has {len(numbers):,} components in place of {dimension:,}.", reason="length")
    try:
        found = np.array(numbers)
    except ValueError as error:
        raise Damaged("Its embedding holds something else than numbers.", reason="numbers") from error
    if found.ndim != 1 or found.dtype.kind not in "iuf":
        raise Damaged("Its embedding holds something else than numbers.", reason="numbers")
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused by nest
        embedding: Embedding = found.astype(np.float32)
        length = float(np.linalg.norm(embedding.astype(np.float64)))
    if abs(length - 1) <= ROUNDING:
        return embedding
    try:
        return nest(embedding, [dimension])[dimension]
    except InvalidEmbedding as error:
        raise Damaged(f"{error}", reason="numbers" if length else "zero") from error
