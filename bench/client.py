"""Plain boto3 against Nestor's wire: the client's own cost of a query and of a put.

Over a transport that answers at once (the client's cost alone), and over the engine in this process. Both clients sign.
Run: python bench/client.py [--json] [--rows 500] [--repeat 5]
"""

import argparse
import contextlib
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from nestor.adapters.s3vectors.wire import client_config, install
from s3vectors_local import open_engine
from s3vectors_local.boto import attach

BUCKET = WHO = "bench"
ROOM = 250
"""Rows in a request, for both: what plain boto3 writes of 500 rows of 3,072 is larger than the 20 MiB allowed."""
DIMENSIONS = (256, 1024, 3072)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measurement: the median."""

    transport: str
    client: str
    what: str
    dimension: int
    milliseconds: float
    vectors_per_second: float | None


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


def _sink(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    return AWSResponse(request.url, 200, {}, _Answer(b'{"vectors":[],"distanceMetric":"cosine"}'))


def _client(connect: Callable[[Any], None], *, fast: bool) -> Any:
    session = boto3.Session(aws_access_key_id=WHO, aws_secret_access_key=WHO, region_name="us-east-1")
    client = session.client("s3vectors", config=client_config() if fast else None)
    if fast:
        install(client)
    connect(client)
    return client


def _to_sink(client: Any) -> None:
    client.meta.events.register("before-send.s3vectors", _sink)


@contextlib.contextmanager
def _engine() -> Iterator[Callable[[Any], None]]:
    with tempfile.TemporaryDirectory() as home, open_engine(Path(home) / "engine") as engine:
        to_engine = functools.partial(attach, engine=engine)
        _create(_client(to_engine, fast=False))
        yield to_engine


def _create(client: Any) -> None:
    client.create_vector_bucket(vectorBucketName=BUCKET)
    for dimension in DIMENSIONS:
        client.create_index(
            vectorBucketName=BUCKET,
            indexName=f"d{dimension}",
            dataType="float32",
            dimension=dimension,
            distanceMetric="cosine",
            metadataConfiguration={"nonFilterableMetadataKeys": ["text", "code"]},
        )


def _median(call: Callable[[], object], *, repeat: int) -> float:
    call()
    spent = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent) * 1000


def _measure(client: Any, *, fast: bool, transport: str, rows: int, repeat: int) -> Iterator[Line]:
    who = "nestor" if fast else "boto3"
    for dimension in DIMENSIONS:
        data = np.random.default_rng(0).standard_normal((rows, dimension), dtype=np.float32)
        numbers: Any = data if fast else data.astype(float).tolist()
        place = {"vectorBucketName": BUCKET, "indexName": f"d{dimension}"}
        vectors = [
            {"key": f"k{n}", "data": {"float32": row}, "metadata": {"page": n, "text": "x" * 500}}
            for n, row in enumerate(numbers)
        ]
        query = {**place, "topK": 10, "queryVector": {"float32": numbers[0]}, "returnDistance": True}
        put = _median(functools.partial(_put, client, vectors, place=place), repeat=repeat)
        ask = _median(functools.partial(client.query_vectors, **query), repeat=repeat * 20)
        common: dict[str, Any] = {"transport": transport, "client": who, "dimension": dimension}
        yield Line(**common, what=f"put {rows}", milliseconds=put, vectors_per_second=rows / put * 1000)
        yield Line(**common, what="query", milliseconds=ask, vectors_per_second=None)


def _put(client: Any, vectors: list[dict[str, Any]], *, place: dict[str, str]) -> None:
    for start in range(0, len(vectors), ROOM):
        client.put_vectors(**place, vectors=vectors[start : start + ROOM])


def _show(lines: list[Line]) -> None:
    print(f"{'transport':18} {'client':7} {'what':8} {'d':>5} {'ms':>9} {'vectors/s':>10}")
    for line in sorted(lines, key=lambda line: (line.transport, line.what, line.dimension, line.client)):
        speed = "" if line.vectors_per_second is None else f"{line.vectors_per_second:,.0f}"
        print(
            f"{line.transport:18} {line.client:7} {line.what:8} {line.dimension:5} {line.milliseconds:9.2f} {speed:>10}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with _engine() as to_engine:
        lines = [
            line
            for transport, to in {"sink": _to_sink, "engine in process": to_engine}.items()
            for fast in (False, True)
            for line in _measure(
                _client(to, fast=fast), fast=fast, transport=transport, rows=options.rows, repeat=options.repeat
            )
        ]
    print(json.dumps([asdict(line) for line in lines])) if options.json else _show(lines)


if __name__ == "__main__":
    main()
