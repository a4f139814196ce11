"""What the use cases need from outside, as small protocols."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
