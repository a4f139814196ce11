"""The indexes of one vector bucket, spoken to through a boto3 `s3vectors` client, whichever transport is behind it."""

import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from nestor.adapters.s3vectors.batches import batches, check_embedding, check_rows, chunks, last_of_each_key
from nestor.adapters.s3vectors.calls import Calls
from nestor.adapters.s3vectors.errors import NOT_FOUND
from nestor.adapters.s3vectors.indexes import Indexes, index_name, patiently
from nestor.adapters.s3vectors.limits import GET_KEYS, LIST_PAGE, TOP_K
from nestor.adapters.s3vectors.rows import S3Rows, row_of
from nestor.adapters.s3vectors.wire import encode, install
from nestor.domain import Embedding, Filter, Hit
from nestor.errors import InvalidInput, VectorsError
from nestor.ports import Spent, VectorRow

_FLOAT_BYTES = 4


class S3Vectors:
    """The indexes `embeddings-<d>d` of one bucket. Threads may share it.

    Whatever the service or the way to it does comes as VectorsError, VectorsUnavailable or VectorsDenied with the
    service's own code and the client's error as the cause; an error is never an empty result.
    """

    def __init__(self, client: Any, *, bucket: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Speak to this bucket through this client, and give the client the fast wire. Nothing is sent yet."""
        install(client)
        self._calls = Calls(client)
        self._bucket = bucket
        self._sleep = sleep
        self._indexes = Indexes(self._calls, bucket=bucket, sleep=sleep)
        self._rows = S3Rows(client, bucket=bucket)

    def prepare(self, dimensions: Iterable[int], *, embedder: str) -> None:
        """Create the bucket and the indexes where missing; others may be doing the same at the same time.

        The embedder's id is the tag `nestor:embedder` of each index; an empty index without it adopts this one.
        Raises EmbedderMismatch when another embedder, or nobody knows which, filled an index; VectorsError when an
        index has another dimension or distance, or lacks a non-filterable key.
        """
        for dimension in dimensions:
            self._indexes.prepare(dimension, embedder=embedder)

    def note(self, dimension: int, *, embedder: str) -> None:
        """Note at the index that this embedder filled it, whatever was noted before."""
        self._indexes.note(self._indexes.get(dimension)["indexArn"], embedder=embedder)

    def embedder(self, dimension: int) -> str | None:
        """Return the id of the embedder that filled the index: empty if not noted, None if there is no index."""
        return self._indexes.embedder(dimension)

    def searches_words(self, dimension: int, *, key: str = "text") -> bool:
        """Say whether the index searches the words of that metadata; False where there is no index."""
        found = (self._indexes.find(dimension) or {}).get("metadataConfiguration", {})
        return any(each.get("metadataKey") == key for each in found.get("textSearchConfigurations", []))

    def put(self, dimension: int, rows: Sequence[VectorRow]) -> None:
        """Store the rows, replacing those of equal key; of equal keys among them the last one stays.

        Raises InvalidInput or InvalidEmbedding, naming the key and before anything is sent, for a row that the
        service would refuse. After an error of the service some rows may be stored: putting all again mends it.
        """
        kept = last_of_each_key(rows)
        check_rows(kept, dimension=dimension)
        for vectors in batches(kept):
            send = functools.partial(self._calls, "put_vectors", **self._index(dimension), vectors=vectors)
            patiently(send, sleep=self._sleep)

    def delete(self, dimension: int, keys: Sequence[str]) -> None:
        """Remove the keys; absent ones are ignored."""
        for some in chunks(keys):
            self._calls("delete_vectors", **self._index(dimension), keys=some)

    def query(self, dimension: int, embedding: Embedding, *, top_k: int, where: Filter | None = None) -> list[Hit]:
        """Return at most top_k rows with their metadata, nearest first; an empty `where` is none.

        Raises InvalidInput when top_k is not 1 to 10,000, InvalidEmbedding for a vector that cannot be compared.
        """
        return self.rank(dimension, embedding=embedding, top_k=top_k, where=where)[0]

    def rank(
        self,
        dimension: int,
        *,
        embedding: Embedding,
        texts: Mapping[str, str] | None = None,
        top_k: int,
        where: Filter | None = None,
    ) -> tuple[list[Hit], Spent]:
        """Return as `query` does, with the words of `texts` fused in, and what it took; pages beyond 100 follow.

        A hit that only the words found has the distance NaN where the service tells none. Raises as `query` does.
        """
        if not 1 <= top_k <= TOP_K:
            raise InvalidInput(f"top_k is {top_k}; it must be 1 to {TOP_K:,}.")
        check_embedding(embedding, dimension=dimension, name="of the query")
        request: dict[str, Any] = {
            **self._index(dimension),
            "topK": top_k,
            "queryVector": {"float32": encode(embedding)},
            "returnDistance": True,
            "returnMetadata": True,
        }
        if where:
            request["filter"] = dict(where)
        if texts:
            request["queryTexts"] = [{"metadataKey": key, "text": text} for key, text in texts.items()]
            request["returnScores"] = True
        hits, spent = self._hits(request, top_k=top_k)
        # The order of a fusion is the service's own.
        return (hits if texts else sorted(hits, key=lambda hit: hit.distance))[:top_k], spent

    def fetch(self, dimension: int, keys: Sequence[str]) -> tuple[Mapping[str, Embedding], Spent]:
        """Return the embeddings of the keys, absent ones left out, and what it took: a request for each 100."""
        found = self._rows.embeddings(dimension, keys)
        returned = sum(len(key) for key in found) + len(found) * dimension * _FLOAT_BYTES
        return found, Spent(-(-len(keys) // GET_KEYS), returned)

    def keys(self, dimension: int) -> Iterator[str]:
        """Yield every key of the index, in no particular order; raises as it goes."""
        for page in self._calls.pages("list_vectors", "vectors", **self._index(dimension), maxResults=LIST_PAGE):
            yield from (vector["key"] for vector in page)

    def rows(self, dimension: int) -> Iterator[VectorRow]:
        """Yield every row of the index, in no particular order; raises as it goes."""
        listed = self._calls.pages(
            "list_vectors", "vectors", **self._index(dimension), returnData=True, returnMetadata=True
        )
        for page in listed:
            yield from map(row_of, page)

    def drop(self, dimension: int) -> None:
        """Remove the index with all its rows; an absent one is ignored."""
        try:
            self._calls("delete_index", **self._index(dimension))
        except VectorsError as error:
            if error.code != NOT_FOUND:
                raise

    def _hits(self, request: dict[str, Any], *, top_k: int) -> tuple[list[Hit], Spent]:
        hits: list[Hit] = []
        spent = Spent()
        for page in self._calls.pages("query_vectors", "vectors", **request):
            hits += map(_hit, page)
            spent += Spent(1, len(orjson.dumps(page)))
            if len(hits) >= top_k:
                break
        return hits, spent

    def _index(self, dimension: int) -> dict[str, str]:
        return {"vectorBucketName": self._bucket, "indexName": index_name(dimension)}


def _hit(vector: Mapping[str, Any]) -> Hit:
    metadata = vector.get("metadata", {})
    if "scores" not in vector:
        return Hit(vector["key"], vector["distance"], metadata)
    scores = vector["scores"]
    distance = vector.get("distance", scores.get("vectorDistance", math.nan))
    return Hit(vector["key"], distance, metadata, scores.get("fused"))
