"""The engine's values. All are frozen; times are whole epoch seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Metadata = Mapping[str, Any]
Item = TypeVar("Item")


class Metric(StrEnum):
    """How far two vectors are apart."""

    EUCLIDEAN = "euclidean"
    COSINE = "cosine"


class Mode(StrEnum):
    """How an index treats a filter; this engine always selects first, then searches."""

    CLASSIC = "CLASSIC"
    ENHANCED = "ENHANCED"


class Language(StrEnum):
    """How the text of a searchable key is analysed; a key without one takes the standard analyzer."""

    ENGLISH = "en"
    FRENCH = "fr"
    SPANISH = "es"
    PORTUGUESE = "pt"
    ITALIAN = "it"
    GERMAN = "de"
    DUTCH = "nl"
    CHINESE = "zh"
    JAPANESE = "ja"
    KOREAN = "ko"


@dataclass(frozen=True, slots=True)
class Encryption:
    """What the caller declared. It is checked and given back; the engine encrypts nothing."""

    sse_type: str = "AES256"
    kms_key_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A vector bucket."""

    id: int
    name: str
    created: int
    encryption: Encryption
    default_mode: Mode
    policy: str | None


@dataclass(frozen=True, slots=True)
class TextKey:
    """A text-searchable metadata key of an index: in `documents` vectors it holds text, `length` terms in all."""

    id: int
    key: str
    language: Language | None
    documents: int
    length: int
    filled: int | None = None
    """While what was stored before the key is still being indexed: the record up to which it is; then None."""

    @property
    def is_building(self) -> bool:
        """True while it serves no queries yet."""
        return self.filled is not None


@dataclass(frozen=True, slots=True)
class NewTextKey:
    """A metadata key to make text-searchable."""

    key: str
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """A vector index of `count` vectors.

    `generation` grows with every write. `slab` is the number of the file that holds the rows, `slots` how many rows are
    in it, those of deleted and overwritten vectors counted.
    """

    id: int
    bucket: str
    name: str
    created: int
    dimension: int
    metric: Metric
    non_filterable: tuple[str, ...]
    encryption: Encryption
    mode: Mode
    generation: int
    slab: int
    slots: int
    count: int
    texts: tuple[TextKey, ...] = ()

    @property
    def is_building(self) -> bool:
        """True while a text key of it serves no queries yet."""
        return any(text.is_building for text in self.texts)


@dataclass(frozen=True, slots=True)
class SearchState:
    """How queries by vector search an index: by comparing every row, or by the codes of a coarse index first.

    `recall` is recall@10: 1 for every row, else as measured on a sample of the index's own rows when it was built.
    """

    recall: float
    lists: int = 0
    """0 where every row is compared."""
    nprobe: int = 0
    candidates: int = 0
    pending: int = 0
    """Rows that came since the coarse index was built; their codes are scanned one and all."""
    dead: int = 0
    """Rows of deleted and overwritten vectors, whose room `compact` gives back."""


@dataclass(frozen=True, slots=True)
class NewIndex:
    """An index to create."""

    name: str
    dimension: int
    metric: Metric
    non_filterable: tuple[str, ...] = ()
    encryption: Encryption | None = None
    """None takes the bucket's."""
    texts: tuple[NewTextKey, ...] = ()


@dataclass(frozen=True, slots=True)
class NewVector:
    """One vector to store: float32 of shape (dimension,), and flat metadata."""

    key: str
    data: Float32
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredVector:
    """One vector as stored. `metadata` is its JSON text; a part that was not asked for is None."""

    key: str
    data: Float32 | None = None
    metadata: bytes | None = None


@dataclass(frozen=True, slots=True)
class QueryText:
    """Words to look for under a text-searchable metadata key."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A search by vector, by texts, or by both.

    `where` is a filter document; `mode` the caller's queryMode; `metadata` asks for it in the hits. `distance` and
    `scores` change no result, only which continuation tokens fit.
    """

    vector: Float32 | None
    top_k: int
    where: Any = None
    mode: Mode | None = None
    metadata: bool = False
    distance: bool = False
    texts: tuple[QueryText, ...] = ()
    scores: bool = False


@dataclass(frozen=True, slots=True)
class Scores:
    """Why a query with texts found a vector: the keys that matched with their BM25 scores, and the fused score."""

    bm25: tuple[tuple[str, float], ...]
    fused: float | None = None
    """None where there was no vector to fuse with."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One result of a query, best first. `metadata` is its JSON text, None where not asked for."""

    key: str
    distance: float | None
    """None where the search by vector did not find it, or there was none."""
    metadata: bytes | None = None
    scores: Scores | None = None
    """None for a query without texts."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, and the token for the next ones, None at the end."""

    items: Sequence[Item]
    next_token: str | None = None
