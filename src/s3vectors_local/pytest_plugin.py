"""Fixtures for pytest, in every project that has this package installed: S3 Vectors in this process, and over HTTP.

`s3vectors` is a boto3 client, `s3vectors_server` a server; each test gets its own, empty. Nothing heavy is imported
before a test asks for one. `-p no:s3vectors_local` turns the plugin off.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    import socket
    import threading

    import uvicorn

    from s3vectors_local.engine import Engine

_HOST: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.002
_GRACE_SECONDS: Final = 5  # for what is being answered when a test ends


@dataclass(frozen=True, slots=True)
class Server:
    """A server of S3 Vectors on this machine. With the variables of `environment` AWS clients find it by themselves."""

    url: str
    port: int
    environment: Mapping[str, str]


@pytest.fixture
def s3vectors() -> Iterator[Any]:
    """Give a boto3 `s3vectors` client of a new, empty engine in this process: no socket, nothing to configure."""
    from s3vectors_local.boto import client
    from s3vectors_local.engine import open_engine

    with open_engine(None) as engine:
        yield client(engine)


@pytest.fixture
def s3vectors_server() -> Iterator[Server]:
    """Give a server of a new, empty engine on a free loopback port; skip where the server extra is not installed."""
    pytest.importorskip("uvicorn", reason="s3vectors_server needs the server extra: pip install 'nestor[server]'")
    with serving() as server:
        yield server


@contextmanager
def serving(engine: "Engine | None" = None) -> Iterator[Server]:
    """Serve an engine, by default a new one in memory, from a thread until the block ends: for fixtures of wider scope.

    An engine that is given stays open. Raises ImportError where the server extra is not installed.
    """
    from s3vectors_local.engine import open_engine

    with nullcontext(engine) if engine else open_engine(None) as served, _listening() as listener:
        port: int = listener.getsockname()[1]
        url = f"http://{_HOST}:{port}"
        with _running(served, listener):
            yield Server(url, port, _environment(url, served.owner.region))


def _environment(url: str, region: str) -> Mapping[str, str]:
    return MappingProxyType(
        {
            "AWS_ENDPOINT_URL_S3VECTORS": url,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",  # "true" would make clients overlook the line above
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        }
    )


def _listening() -> "socket.socket":
    import socket

    return socket.create_server((_HOST, 0), backlog=128)


@contextmanager
def _running(engine: "Engine", listener: "socket.socket") -> Iterator[None]:
    import threading

    server = _server(engine)
    thread = threading.Thread(target=server.run, args=([listener],), name="s3vectors_server", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield
    finally:
        server.should_exit = True
        thread.join()


def _server(engine: "Engine") -> "uvicorn.Server":
    import uvicorn

    from s3vectors_local.server import app

    # Loggers and WebSocket libraries belong to the project under test: none is touched, none imported.
    config = uvicorn.Config(
        app(engine), loop="asyncio", ws="none", log_config=None, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    return uvicorn.Server(config)


def _wait_until_started(server: "uvicorn.Server", thread: "threading.Thread") -> None:
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the S3 Vectors server did not start; pytest's warnings tell why")
        time.sleep(_POLL_SECONDS)
