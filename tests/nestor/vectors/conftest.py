"""Clients over a transport that answers at once, and over the engine in this process and by HTTP."""

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import uvicorn
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from nestor.adapters.s3vectors import S3Vectors
from s3vectors_local import Engine, open_engine
from s3vectors_local.boto import attach
from s3vectors_local.server import app

EXAMPLE = "an example"
SESSION = boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key=EXAMPLE, region_name="us-east-1")

Answer = tuple[int, dict[str, Any]]
Answers = Callable[[AWSPreparedRequest], Answer]


@dataclass
class _Body:
    body: bytes

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


@dataclass
class Sent:
    """A client, and every request that it handed to the transport."""

    client: Any
    requests: list[AWSPreparedRequest] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What the requests say."""
        return [json.loads(request.body or b"null") for request in self.requests]

    @property
    def operations(self) -> list[str]:
        """The last part of each path, in order: what was called."""
        return [request.url.rsplit("/", 1)[-1] for request in self.requests]


def nothing(_: AWSPreparedRequest) -> Answer:
    """Answer everything with what satisfies every parser."""
    return 200, {"vectors": [], "distanceMetric": "cosine"}


def make(
    answers: Answers | None = nothing, *, retries: int = 1, endpoint_url: str | None = None, **options: Any
) -> Sent:
    """Return a plain client whose requests end here; with None for answers they go where they go."""
    config = Config(retries={"mode": "standard", "total_max_attempts": retries}, **options)
    sent = Sent(SESSION.client("s3vectors", config=config, endpoint_url=endpoint_url))
    if answers is None:
        return sent

    def transport(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.requests.append(request)
        status, document = answers(request)
        return AWSResponse(request.url, status, {}, _Body(json.dumps(document).encode()))

    sent.client.meta.events.register("before-send.s3vectors", transport)
    return sent


@pytest.fixture(scope="session")
def connect() -> Callable[..., Sent]:
    """Make clients of it."""
    return make


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return an empty engine."""
    with open_engine(tmp_path / "engine") as engine:
        yield engine


@contextlib.contextmanager
def served(engine: Engine) -> Iterator[str]:
    """Serve the engine on a free port and give its address."""
    server = uvicorn.Server(uvicorn.Config(app(engine), port=0, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(params=["in process", "over HTTP"])
def client(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Any]:
    """Return a client of an empty engine, over each transport that needs no account."""
    if request.param == "in process":
        client = make(None).client
        attach(client, engine)
        yield client
        return
    with served(engine) as endpoint:
        client = make(None, endpoint_url=endpoint).client
        yield client
        client.close()


@pytest.fixture
def vectors(client: Any) -> S3Vectors:
    """Return the adapter over an empty service."""
    return S3Vectors(client, bucket="nestor-test", sleep=lambda _: None)


@pytest.fixture(scope="session")
def unit_rows() -> Callable[[int, int], Any]:
    """Rows of unit length, different at every call."""
    seeds = itertools.count()

    def rows(count: int, dimension: int) -> Any:
        drawn = np.random.default_rng(next(seeds)).standard_normal((count, dimension), dtype=np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    return rows
