"""The engine behind HTTP, in a process of its own, through three clients."""

import tempfile
import threading
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.contenders.contender import Built, Contender, Settings, Stopwatch, Where, batches, metadata
from bench.contenders.engine_inside import BUCKET, INDEX
from bench.dataset import Dataset
from bench.nested import Floats
from bench.serving import Connection, Served, encoded

_PLACE = {"vectorBucketName": BUCKET, "indexName": INDEX}


class _Http(Contender):
    package = "nestor"
    batch = 500
    sample = 5_000
    """Rows put to measure the rate; what is searched is what the engine in process has built."""

    def __init__(self) -> None:
        self._served: Served
        self._mine = threading.local()

    @abstractmethod
    def connect(self, url: str) -> Any:
        """Return a client for one thread."""

    @abstractmethod
    def send(self, client: Any, vectors: list[dict[str, Any]], watch: Stopwatch) -> None:
        """Put vectors."""

    def build(self, made: Dataset, folder: Path) -> Built:
        """Put a sample into an index of its own, to measure the rate."""
        put, rows = Stopwatch(), 0
        with tempfile.TemporaryDirectory(dir=folder) as scratch, Served(Path(scratch)) as served:
            _create(served.url, made.dimension)
            client = self.connect(served.url)
            for numbers, block in batches(made, self.batch):
                if rows >= self.sample:
                    break
                self.send(client, _vectors(numbers.tolist(), block, metadata(numbers)), put)
                rows += len(numbers)
        return Built(rows, put.seconds, 0.0)

    def open(self, made: Dataset, folder: Path) -> None:  # noqa: ARG002
        """Start the server: this includes the start of an interpreter."""
        self._served = Served(folder)

    def client(self) -> Any:
        """Return this thread's client."""
        if not hasattr(self._mine, "client"):
            self._mine.client = self.connect(self._served.url)
        return self._mine.client

    def encode(self, vector: Floats, k: int, where: Where | None) -> Any:
        """Return the members of QueryVectors."""
        asked = {**_PLACE, "topK": k, "queryVector": {"float32": vector}, "returnDistance": True}
        return asked if where is None else {**asked, "filter": {where[0]: {"$eq": where[1]}}}

    def search(self, question: Any, settings: Settings) -> Sequence[int]:  # noqa: ARG002
        """Ask the server."""
        return [int(hit["key"]) for hit in self.ask(question)["vectors"]]

    def ask(self, question: Any) -> Any:
        """Return the answer to a question; a boto3 client is used by default."""
        return self.client().query_vectors(**question)

    def process(self) -> int:
        """Return the server's process."""
        return self._served.pid

    def close(self) -> None:
        """Stop the server."""
        self._served.stop()


class Raw(_Http):
    """http.client on a keep-alive connection, bodies encoded beforehand, answers read by orjson."""

    about = "this engine served over HTTP, asked by http.client on a keep-alive connection with encoded bodies"

    def connect(self, url: str) -> Connection:
        """Return a connection."""
        return Connection(url)

    def send(self, client: Any, vectors: list[dict[str, Any]], watch: Stopwatch) -> None:
        """Put, the body encoded beforehand."""
        body = encoded({**_PLACE, "vectors": vectors})
        with watch:
            client.post("PutVectors", body)

    def encode(self, vector: Floats, k: int, where: Where | None) -> bytes:
        """Return the body."""
        return encoded(super().encode(vector, k, where))

    def ask(self, question: Any) -> Any:
        """Return the answer."""
        return self.client().post("QueryVectors", question)


class NestorClient(_Http):
    """boto3 with the wire that takes NumPy rows."""

    about = "the same, asked by Nestor's boto3 client with NumPy rows"

    def connect(self, url: str) -> Any:
        """Return a client; it signs."""
        from nestor.adapters.s3vectors import client_config, install

        client = _boto3(url, client_config())
        install(client)
        return client

    def send(self, client: Any, vectors: list[dict[str, Any]], watch: Stopwatch) -> None:
        """Put."""
        with watch:
            client.put_vectors(**_PLACE, vectors=vectors)


class PlainBoto3(NestorClient):
    """boto3 as it comes, with Python lists."""

    about = "the same, asked by plain boto3 with Python lists"
    batch = 250
    """Plain boto3 writes floats as doubles: 500 rows of 3,072 are more than the 20 MiB that a request may have."""
    sample = 1_000

    def connect(self, url: str) -> Any:
        """Return a client; it signs."""
        return _boto3(url, None)

    def send(self, client: Any, vectors: list[dict[str, Any]], watch: Stopwatch) -> None:
        """Put lists, made beforehand."""
        lists = [{**vector, "data": {"float32": vector["data"]["float32"].tolist()}} for vector in vectors]
        super().send(client, lists, watch)

    def encode(self, vector: Floats, k: int, where: Where | None) -> Any:
        """Return the members with a list."""
        return {**super().encode(vector, k, where), "queryVector": {"float32": vector.tolist()}}


def _boto3(url: str, config: Any) -> Any:
    import boto3

    session = boto3.Session(aws_access_key_id=BUCKET, aws_secret_access_key=BUCKET, region_name="us-east-1")
    return session.client("s3vectors", endpoint_url=url, config=config)


def _create(url: str, dimension: int) -> None:
    connection = Connection(url)
    connection.post("CreateVectorBucket", encoded({"vectorBucketName": BUCKET}))
    shape = {"dataType": "float32", "dimension": dimension, "distanceMetric": "cosine"}
    connection.post("CreateIndex", encoded({**_PLACE, **shape}))
    connection.close()


def _vectors(numbers: list[int], block: Floats, fields: list[dict[str, int]]) -> list[dict[str, Any]]:
    parts = zip(numbers, block, fields, strict=True)
    return [{"key": str(number), "data": {"float32": row}, "metadata": each} for number, row, each in parts]
