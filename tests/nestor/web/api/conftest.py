"""The application over a real home, asked in process and over real HTTP."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed: pip install 'nestor[web]'")
pytest.importorskip("httpx2", reason="httpx2 is not installed: it is in the group test")

from starlette.testclient import TestClient

from nestor.web.app import create
from nestor.web.context import Options
from nestor.web.limits import Limits
from nestor.wiring import Nestor

HOME = "http://localhost"
Application = Callable[..., TestClient]
Uploading = Callable[..., dict[str, Any]]


@pytest.fixture
def application(nestor: Nestor) -> Iterator[Application]:
    """Return a function that serves the home, with these limits and options, to a client in this process."""
    clients: list[TestClient] = []

    def serve(limits: Limits | None = None, **options: Any) -> TestClient:
        made = create(nestor, options=Options(limits=limits or Limits(), page=False, **options))
        client = TestClient(made, base_url=HOME, raise_server_exceptions=False, follow_redirects=False)
        clients.append(client.__enter__())
        return client

    yield serve
    for client in clients:
        client.__exit__()


@pytest.fixture
def client(application: Application) -> TestClient:
    """Return a client of the home as it is served by default."""
    return application()


@pytest.fixture
def upload(client: TestClient) -> Uploading:
    """Return a function that uploads files and gives their job when it is over."""

    def send(files: dict[str, bytes], **fields: Any) -> dict[str, Any]:
        parts = [("file", (name, content)) for name, content in files.items()]
        answer = client.post("/assets", files=parts, data=fields)
        assert answer.status_code == 202, answer.text
        return _over(client, answer.json()["id"])

    return send


def _over(client: Any, job_id: str, *, seconds: float = 60.0) -> dict[str, Any]:
    """Return the job when it is over, as the stream of its events tells."""
    job: dict[str, Any] = {}
    deadline = time.monotonic() + seconds
    with client.stream("GET", f"/jobs/{job_id}/events") as stream:
        for line in stream.iter_lines():
            assert time.monotonic() < deadline
            if line.startswith("data: "):
                job = json.loads(line.removeprefix("data: "))
    assert job["state"] in {"done", "failed"}
    return job


@pytest.fixture
def over() -> Callable[..., dict[str, Any]]:
    """Return a function that gives a job when it is over, as the stream of its events tells."""
    return _over


@pytest.fixture
def error_of() -> Callable[[Any, int], str]:
    """Return a function that gives the code of an error, and checks its one shape and its id."""

    def check(answer: Any, status: int) -> str:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        document = answer.json()
        assert set(document) == {"error"}
        error = document["error"]
        assert set(error) == {"code", "message", "id"}
        assert error["message"]
        assert re.fullmatch(r"[0-9a-f]{16}", error["id"])
        assert error["id"] == answer.headers["x-request-id"]
        return str(error["code"])

    return check
