"""What the use cases need from outside, as small protocols."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from nestor.domain import Embedding, Filter, Hit, Manifest, Metadata, Segment


class Embedder(Protocol):
    """Turns segments and questions into embeddings of one space."""

    @property
    def id(self) -> str:
        """Name and version of the space: equal ids mean comparable embeddings. Letters, digits and _ . : / = + - @."""
        ...

    def embed_segments(self, segments: Sequence[Segment]) -> Embedding:
        """Return one unit row a segment, shape (n, 3072). Raises EmbeddingFailed."""
        ...

    def embed_text_query(self, text: str) -> Embedding:
        """Return the unit embedding of a question, shape (3072,). Raises EmbeddingFailed."""
        ...

    def embed_segments_query(self, segments: Sequence[Segment]) -> Embedding:
        """Return the unit embedding, shape (3072,), of a file used as a question, given its segments."""
        ...


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One row to store: the same key and metadata go to every index, cut to the index's dimension."""

    key: str
    embedding: Embedding
    """Shape (d,), float32."""
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Spent:
    """What was asked of a store."""

    requests: int = 0
    returned_bytes: int = 0
    """Of the rows that came back, as JSON; an embedding counts 4 bytes a component."""

    def __add__(self, other: "Spent") -> "Spent":
        """Add up."""
        return Spent(self.requests + other.requests, self.returned_bytes + other.returned_bytes)


class VectorSearch(Protocol):
    """Searches in the indexes, and what they took."""

    def rank(
        self,
        dimension: int,
        *,
        embedding: Embedding,
        texts: Mapping[str, str] | None = None,
        top_k: int,
        where: Filter | None = None,
    ) -> tuple[list[Hit], Spent]:
        """Return the best rows with their metadata, best first: the nearest, or with `texts` those of the best fusion.

        `texts` are words by the metadata that they are looked for in. A hit that only words found may have no distance:
        it is NaN. Raises VectorsError.
        """
        ...

    def fetch(self, dimension: int, keys: Sequence[str]) -> tuple[Mapping[str, Embedding], Spent]:
        """Return the embeddings of the keys, absent ones left out. Raises VectorsError."""
        ...


class VectorRows(Protocol):
    """Whole indexes, read and removed."""

    def rows(self, dimension: int) -> Iterator[VectorRow]:
        """Yield every row of the index, in no particular order; raises VectorsError as it goes."""
        ...

    def drop(self, dimension: int) -> None:
        """Remove the index with all its rows; an absent one is ignored. Raises VectorsError."""
        ...


class Vectors(VectorSearch, Protocol):
    """The indexes `embeddings-<d>d` of one vector bucket."""

    def prepare(self, dimensions: Iterable[int], *, embedder: str) -> None:
        """Create what is missing, remember the embedder. Raises EmbedderMismatch when another one filled them."""
        ...

    def embedder(self, dimension: int) -> str | None:
        """Return the id of the embedder that filled the index: empty if nobody noted it, None if there is no index."""
        ...

    def put(self, dimension: int, rows: Sequence[VectorRow]) -> None:
        """Store the rows, replacing those of equal key; all are durable on return."""
        ...

    def delete(self, dimension: int, keys: Sequence[str]) -> None:
        """Remove the keys; absent ones are ignored."""
        ...

    def query(self, dimension: int, embedding: Embedding, *, top_k: int, where: Filter | None = None) -> list[Hit]:
        """Return the nearest rows with their metadata, nearest first; fewer than top_k where fewer match."""
        ...

    def keys(self, dimension: int) -> Iterator[str]:
        """Yield every key of the index, in no particular order."""
        ...


class Manifests(Protocol):
    """What is stored, by asset."""

    def get(self, object_id: str) -> Manifest | None:
        """Return the manifest of the asset, None when there is none."""
        ...

    def put(self, manifests: Sequence[Manifest]) -> None:
        """Store all of them or none; durable on return."""
        ...

    def delete(self, object_ids: Sequence[str]) -> None:
        """Forget the assets."""
        ...

    def all(self) -> Iterator[Manifest]:
        """Yield every manifest, ordered by URI."""
        ...


class Thumbnails(Protocol):
    """Small pictures of segments, for the page."""

    def put(self, object_id: str, index: int, jpeg: bytes) -> None:
        """Keep the picture of one segment, replacing an older one."""
        ...

    def get(self, object_id: str, index: int) -> bytes | None:
        """Return the JPEG, None when there is none."""
        ...

    def delete(self, object_id: str, *, from_index: int = 0) -> None:
        """Remove the pictures of the asset from that segment on."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What an object store says about one object."""

    size: int
    """Bytes."""
    etag: str
    """Changes whenever the content does."""
    content_type: str = ""
    modified_at: float = 0.0
    """Epoch seconds."""


class Objects(Protocol):
    """Objects by bucket and key, as S3 keeps them. Every method raises ObjectsError, ObjectMissing among them."""

    def info(self, uri: str) -> ObjectInfo:
        """Return what is known of the object at `s3://bucket/key`."""
        ...

    def get(self, uri: str) -> bytes:
        """Return the whole object."""
        ...

    def lines(self, uri: str) -> Iterator[bytes]:
        """Yield the lines of the object one by one, without holding all of it."""
        ...

    def put(self, uri: str, content: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store the object whole, replacing an older one."""
        ...

    def download(self, uri: str, path: Path, *, etag: str) -> None:
        """Write the object into a file; ObjectMissing when it is no longer the one of that ETag."""
        ...

    def delete(self, uri: str) -> None:
        """Remove the object; an absent one is ignored."""
        ...

    def keys(self, uri: str) -> Iterator[str]:
        """Yield the keys below the prefix `s3://bucket/prefix`, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """What a client sends, as a form of type multipart/form-data, to store one object itself."""

    url: str
    fields: Mapping[str, str]
    """Before the file, which comes last, as `file`."""


class Handover(Protocol):
    """Objects that clients fetch and store themselves, by what is good for some seconds. Both raise ObjectsError."""

    def link(self, uri: str, *, seconds: int, content_type: str, disposition: str, head: bool = False) -> str:
        """Return the address to fetch the object from, presented so; `head` to ask for its headers alone."""
        ...

    def form(self, uri: str, *, seconds: int, content_type: str, sizes: tuple[int, int]) -> Form:
        """Return the form that stores one object of that type, of so many bytes at least and at most."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of what a chat model is sent."""

    role: Literal["user", "assistant"]
    parts: tuple[str | bytes, ...]
    """In their order: text, and pictures as JPEG."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a chat model counted for one answer."""

    input_tokens: int
    output_tokens: int
    cut: bool = False
    """Whether the answer ended at its limit of tokens."""


class ChatModel(Protocol):
    """Answers in words, piece by piece."""

    @property
    def name(self) -> str:
        """What it is called where it runs."""
        ...

    @property
    def sees(self) -> bool:
        """Whether messages may hold pictures."""
        ...

    def stream(self, messages: Sequence[Message], *, system: str) -> Generator[str | Usage, None, None]:
        """Yield the pieces of the answer, and what was counted where that is told; closing it ends the answer.

        Raises ModelFailed, ModelUnavailable among them, also after some pieces.
        """
        ...


@dataclass(frozen=True, slots=True)
class Calibration:
    """How similar a passage must be to count as relevant, as measured in one index."""

    embedder: str
    dimension: int
    similarity: float
    segments: int
    """That the library held then."""
    questions: int

    def fits(self, segments: int) -> bool:
        """Say whether a library of so many segments is no more than twice, and no less than half, what it was."""
        return self.segments <= 2 * segments and segments <= 2 * self.segments


class Calibrations(Protocol):
    """What was measured, kept beside the home."""

    def get(self, embedder: str, dimension: int) -> Calibration | None:
        """Return what was measured last, None when nothing was."""
        ...

    def put(self, calibration: Calibration) -> None:
        """Keep it, in place of an older one. Raises HomeUnusable."""
        ...
