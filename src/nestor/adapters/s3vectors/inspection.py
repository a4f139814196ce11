"""What an endpoint has and allows, looked at without changing anything."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from nestor.adapters.s3vectors.calls import Calls
from nestor.adapters.s3vectors.indexes import Indexes, index_name, shape_faults
from nestor.errors import VectorsDenied

_ABSENT_KEY: Final = "nestor-doctor-looks-for-no-such-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """One index as it is."""

    dimension: int
    name: str
    there: bool
    faults: tuple[str, ...] = ()
    """In what it is not an index of Nestor."""
    embedder: str = ""
    """As noted at the index; empty when nobody noted it."""
    searches_text: bool = False


class Inspection:
    """Looks at the indexes of one bucket."""

    def __init__(self, client: Any, *, bucket: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Speak to this bucket through this `s3vectors` client."""
        self._calls = Calls(client)
        self._indexes = Indexes(self._calls, bucket=bucket, sleep=sleep)
        self._bucket = bucket

    def index(self, dimension: int) -> IndexState:
        """Return what the index is like. Raises VectorsError."""
        name, found = index_name(dimension), self._indexes.find(dimension)
        if found is None:
            return IndexState(dimension=dimension, name=name, there=False)
        texts = found.get("metadataConfiguration", {}).get("textSearchConfigurations", [])
        return IndexState(
            dimension=dimension,
            name=name,
            there=True,
            faults=tuple(shape_faults(found, dimension=dimension)),
            embedder=self._indexes.tag(found["indexArn"]),
            searches_text=bool(texts),
        )

    def denied(self, dimension: int, *, writing: bool) -> Iterator[tuple[str, str]]:
        """Yield each action that the credentials lack at an index that is there, and the service's words.

        Reads are tried for real, DeleteVectors with a key that does not exist. Raises other VectorsErrors.
        """
        index = {"vectorBucketName": self._bucket, "indexName": index_name(dimension)}
        unit = [1.0, *[0.0] * (dimension - 1)]
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("s3vectors:ListVectors", "list_vectors", {"maxResults": 1}),
            ("s3vectors:GetVectors", "get_vectors", {"keys": [_ABSENT_KEY], "returnMetadata": True}),
            (
                "s3vectors:QueryVectors",
                "query_vectors",
                {"queryVector": {"float32": unit}, "topK": 1, "returnMetadata": True, "returnDistance": True},
            ),
        ]
        if writing:
            calls.append(("s3vectors:DeleteVectors", "delete_vectors", {"keys": [_ABSENT_KEY]}))
        for action, operation, params in calls:
            try:
                self._calls(operation, **index, **params)
            except VectorsDenied as error:
                yield action, str(error)
