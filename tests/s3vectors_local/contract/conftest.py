"""One suite, two ways to the engine: in this process, and over HTTP. The tests know a boto3 client, not a way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
import uvicorn
from botocore.config import Config

from s3vectors_local import boto
from s3vectors_local.connection import settings
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.server import Options, app

CONFIG = Config(parameter_validation=False, retries={"total_max_attempts": 1, "mode": "standard"})
CREDENTIALS = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}


@dataclass
class Server:
    """A server that runs in a thread."""

    port: int
    uvicorn: uvicorn.Server


@contextmanager
def _serving(engine: Engine, options: Options | None = None, **seconds: Any) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(settings(app(engine, options=options), grace_seconds=5, **seconds))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Server(listener.getsockname()[1], server)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def served() -> Iterator[int]:
    """Give the port of a server in front of an engine in memory."""
    with open_engine(None) as engine, _serving(engine) as server:
        yield server.port


@pytest.fixture
def serve() -> Any:
    """Give a context manager: an engine, served with some options."""
    return _serving


@pytest.fixture(scope="session")
def _in_process() -> Iterator[Any]:
    with open_engine(None) as engine:
        yield boto.client(engine, config=CONFIG)


@pytest.fixture(scope="session")
def _over_http(served: int) -> Iterator[Any]:
    client = boto3.client("s3vectors", endpoint_url=f"http://127.0.0.1:{served}", config=CONFIG, **CREDENTIALS)
    yield client
    client.close()


@pytest.fixture(params=["in-process", "http"])
def client(request: pytest.FixtureRequest) -> Any:
    """Give a boto3 client. It validates nothing itself, so that what it would refuse reaches the engine."""
    return request.getfixturevalue("_in_process" if request.param == "in-process" else "_over_http")


@pytest.fixture
def bucket(client: Any) -> str:
    """Give the name of a new bucket."""
    name = f"bucket-{uuid4()}"
    client.create_vector_bucket(vectorBucketName=name)
    return name


@pytest.fixture
def index(client: Any, bucket: str) -> dict[str, str]:
    """Give the address of a new euclidean index of 2 components, `text` being non-filterable."""
    address = {"vectorBucketName": bucket, "indexName": "items"}
    client.create_index(
        **address,
        dataType="float32",
        dimension=2,
        distanceMetric="euclidean",
        metadataConfiguration={"nonFilterableMetadataKeys": ["text"]},
    )
    return address
