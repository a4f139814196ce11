"""The server under load, at its end, and what it tells of itself."""

import http.client
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from s3vectors_local import credentials, telemetry
from s3vectors_local.engine import Engine
from s3vectors_local.entrance import Entrance
from s3vectors_local.server import Options

GET_INDEX = ("POST", "/GetIndex", b'{"vectorBucketName":"demo","indexName":"flat"}')
LABELS = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def _request(
    port: int, method: str, path: str, body: bytes | None = None, host: str | None = None
) -> tuple[int, Any, bytes]:
    """Return status, headers and body; `host` is what the Host header says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {} if host is None else {"Host": host})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.headers, content


class Gate:
    """Holds up GetIndex until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
        """Stand in the engine's way."""
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        original = engine.get_index

        def wait(bucket: str, name: str) -> Any:
            self.entered.release()
            assert self.open.wait(20)
            return original(bucket, name)

        monkeypatch.setattr(engine, "get_index", wait)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Iterator[Gate]:
    """Give the gate, and open it at the end."""
    made = Gate(monkeypatch, engine)
    yield made
    made.open.set()


@contextmanager
def _waiting(count: int, port: int) -> Iterator[list[Any]]:
    """Ask for an index from so many threads, and give the list that their answers come into."""
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(_request(port, *GET_INDEX))) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        for thread in threads:
            thread.join(20)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _metric(port: int, name: str, **labels: str) -> float:
    return _parse(_request(port, "GET", "/metrics")[2].decode()).get((name, frozenset(labels.items())), 0.0)


def _parse(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the samples of a page of metrics, which must be of the form that Prometheus reads."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            assert name in helped
            kinds[name] = kind
            continue
        match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line, re.ASCII)
        assert match, line
        name, inner, value = match.groups()
        assert any(name in (each, *(each + end for end in ("_bucket", "_sum", "_count"))) for each in kinds), line
        labels = LABELS.findall(inner or "")
        assert "".join(f'{key}="{text}",' for key, text in labels).rstrip(",") == (inner or ""), line
        key = (name, frozenset(labels))
        assert key not in found, line
        found[key] = float(value)
    return found


def test_backpressure(engine: Engine, serve: Any, gate: Gate) -> None:
    """So many in the engine, so many waiting; one more is 429 at once. Those that wait are answered."""
    with serve(engine, Options(max_concurrency=2, max_waiting=16)) as server, _waiting(18, server.port) as answers:
        _until(lambda: _metric(server.port, "s3vectors_requests_waiting") == 16)
        assert _metric(server.port, "s3vectors_requests_in_flight") == 2
        status, headers, body = _request(server.port, *GET_INDEX)
        assert (status, headers["x-amzn-errortype"], headers["retry-after"]) == (429, "TooManyRequestsException", "1")
        assert json.loads(body)["message"]
        assert answers == []
        assert _request(server.port, "GET", "/health")[0] == 200
        gate.open.set()
        _until(lambda: len(answers) == 18)
        assert {status for status, *_ in answers} == {200}
        assert _request(server.port, *GET_INDEX)[0] == 200
        reason = "TooManyRequestsException"
        assert _metric(server.port, "s3vectors_requests_refused_total", reason=reason) == 1
        assert _metric(server.port, "s3vectors_requests_in_flight") == 0


def test_no_more_than_so_many_in_the_engine(engine: Engine, serve: Any, gate: Gate) -> None:
    """The bound holds for the engine itself."""
    with serve(engine, Options(max_concurrency=3)) as server, _waiting(9, server.port):
        _until(lambda: _metric(server.port, "s3vectors_requests_waiting") == 6)
        for _ in range(3):
            assert gate.entered.acquire(timeout=15)
        assert not gate.entered.acquire(timeout=0.2)
        gate.open.set()


def test_retried_by_boto3(engine: Engine, serve: Any, gate: Gate) -> None:
    """A plain boto3 client tries again after a 429, and comes through."""
    with serve(engine, Options(max_concurrency=1, max_waiting=8)) as server, _waiting(9, server.port):
        _until(lambda: _metric(server.port, "s3vectors_requests_waiting") == 8)
        client = boto3.client(
            "s3vectors",
            endpoint_url=f"http://127.0.0.1:{server.port}",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",  # noqa: S106
            config=Config(retries={"total_max_attempts": 10, "mode": "standard"}),
        )
        threading.Timer(0.3, gate.open.set).start()
        answer = client.get_index(vectorBucketName="demo", indexName="flat")
        assert answer["ResponseMetadata"]["RetryAttempts"] >= 1


def test_half_a_request(engine: Engine, serve: Any) -> None:
    """A request that stops in the middle takes no place in the engine, and is ended."""
    head = b"POST /GetIndex HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"
    options = Options(max_concurrency=1, read_seconds=0.5)
    with serve(engine, options) as server, socket.create_connection(("127.0.0.1", server.port), timeout=15) as half:
        half.sendall(head)
        assert _request(server.port, *GET_INDEX)[0] == 200
        answer = b"".join(iter(lambda: half.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"x-amzn-errortype: RequestTimeoutException" in answer
        assert b"connection: close" in answer


def test_client_that_goes_away(engine: Engine, serve: Any) -> None:
    """What did not come in whole is not run, even if it reads as a request."""
    head = b"POST /CreateVectorBucket HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n"
    with serve(engine) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(head + b'{"vectorBucketName":"half"}')
        _until(lambda: _request(server.port, *GET_INDEX)[0] == 200)
    assert [bucket.name for bucket in engine.list_buckets().items] == ["demo"]


def test_graceful_stop(engine: Engine, serve: Any, gate: Gate) -> None:
    """What is being answered when the server is told to stop is answered, and no new connection is taken."""
    with serve(engine) as server, _waiting(1, server.port) as answers:
        assert gate.entered.acquire(timeout=15)
        server.uvicorn.should_exit = True
        _until(lambda: not _is_open(server.port))
        gate.open.set()
        _until(lambda: len(answers) == 1)
        assert answers[0][0] == 200


def test_stop_is_bounded(engine: Engine, serve: Any, gate: Gate) -> None:
    """Nobody waits longer than the time of grace for what does not end."""
    with serve(engine) as server:
        server.uvicorn.config.timeout_graceful_shutdown = 1
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request(*GET_INDEX)
        assert gate.entered.acquire(timeout=15)
        started = time.monotonic()
    assert time.monotonic() - started < 8
    connection.close()


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (None, 200),
        ("localhost", 200),
        ("LOCALHOST.:80", 200),
        ("127.0.0.1", 200),
        ("127.1.2.3:8765", 200),
        ("[::1]:8765", 200),
        ("s3vectors.localhost:1", 200),
        ("vectors.test:8765", 200),
        ("rebound.example", 403),
        ("rebound.example:8765", 403),
        ("127.0.0.1.rebound.example", 403),
        ("localhost.rebound.example", 403),
        ("xlocalhost", 403),
        ("192.168.0.1", 403),
        ("", 403),
    ],
)
def test_host(engine: Engine, serve: Any, host: str | None, status: int) -> None:
    """Without credentials a request must name this machine, or a name that was allowed."""
    with serve(engine, Options(Entrance(hosts=frozenset({"vectors.test"})))) as server:
        found, headers, _ = _request(server.port, *GET_INDEX, host=host)
        assert found == status
        assert headers["x-amzn-errortype"] == (None if status == 200 else "AccessDeniedException")
        assert _request(server.port, "GET", "/metrics", host=host)[0] == status
        assert _request(server.port, "GET", "/health", host=host)[0] == 200


def test_metrics(engine: Engine, serve: Any) -> None:
    """Requests by operation and status, their durations, and the sizes of indexes, as Prometheus reads them."""
    with serve(engine) as server:
        for path in ("/GetIndex", "/GetIndex", "/GetVectorBucket", "/nowhere\\", '/"'):
            _request(server.port, "POST", path, GET_INDEX[2])
        _request(server.port, "POST", "/GetIndex", b"{}")
        page = _request(server.port, "GET", "/metrics")
        assert page[1]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        found = _parse(page[2].decode())

    def get(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert get("s3vectors_requests_total", operation="GetIndex", status="200") == 2
    assert get("s3vectors_requests_total", operation="GetIndex", status="400") == 1
    assert get("s3vectors_requests_total", operation="unknown", status="404") == 2
    duration = "s3vectors_request_duration_seconds"
    buckets = {labels: value for (name, labels), value in found.items() if name == f"{duration}_bucket"}
    bounds = [(float(dict(key)["le"]), value) for key, value in buckets.items() if ("operation", "GetIndex") in key]
    assert max(bounds) == (float("inf"), 3)
    assert [value for _, value in sorted(bounds)] == sorted(value for _, value in bounds)
    assert get(f"{duration}_count", operation="GetIndex") == 3
    assert 0 < get(f"{duration}_sum", operation="GetIndex") < 10
    assert abs(get("process_start_time_seconds") - time.time()) < 100
    assert get("s3vectors_indexes") == 1
    assert get("s3vectors_index_vectors", bucket="demo", index="flat") == get("s3vectors_vectors") == 0
    assert get("s3vectors_index_component_bytes", bucket="demo", index="flat") == 0


def test_metrics_of_an_exposed_server(engine: Engine, serve: Any, tmp_path: Path) -> None:
    """Where other machines reach the server, its metrics are for those who sign."""
    (tmp_path / "c.json").write_text('[{"access_key_id": "A", "secret_access_key": "a-long-secret"}]')
    keyring = credentials.read(tmp_path / "c.json", region="us-east-1", account="000000000000")
    with serve(engine, Options(Entrance(keyring, exposed=True))) as server:
        status, headers, _ = _request(server.port, "GET", "/metrics")
        assert (status, headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
        signed = AWSRequest("GET", f"http://127.0.0.1:{server.port}/metrics")
        SigV4Auth(Credentials("A", "a-long-secret"), "s3vectors", "us-east-1").add_auth(signed)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", "/metrics", headers=dict(signed.headers))
        response = connection.getresponse()
        assert (response.status, b"flat" in response.read()) == (200, False)
        connection.close()
        assert _request(server.port, "GET", "/health")[0] == 200


def test_log(engine: Engine, serve: Any, tmp_path: Path) -> None:
    """One JSON line a request, of who did what and how long it took; nothing of what was in it."""
    secrets = {"secret_access_key": "THE-SECRET", "session_token": "THE-TOKEN"}
    (tmp_path / "c.json").write_text(json.dumps([{"access_key_id": "AKID", **secrets}]))
    keyring = credentials.read(tmp_path / "c.json", region="us-east-1", account="000000000000")
    stream = io.StringIO()
    log = telemetry.Log(stream, as_json=True)
    with serve(engine, Options(Entrance(keyring), log=log)) as server:
        client = boto3.client(
            "s3vectors",
            endpoint_url=f"http://127.0.0.1:{server.port}",
            region_name="us-east-1",
            aws_access_key_id="AKID",
            aws_secret_access_key=secrets["secret_access_key"],
            aws_session_token=secrets["session_token"],
        )
        index = {"vectorBucketName": "demo", "indexName": "flat"}
        vector = {"key": "THE-KEY", "data": {"float32": [0.123456, 2]}, "metadata": {"THE-META": "THE-VALUE"}}
        client.put_vectors(**index, vectors=[vector])
        client.query_vectors(**index, topK=1, queryVector={"float32": [0.123456, 2]}, filter={"THE-META": "THE-VALUE"})
        client.tag_resource(resourceArn="arn:aws:s3vectors:us-east-1:000000000000:bucket/demo", tags={"THE-TAG": "x"})
        id_ = client.get_index(**index)["ResponseMetadata"]["RequestId"]
        _request(server.port, "POST", "/THE-PATH", b"THE-BODY")
    log.close()
    assert "THE-" not in stream.getvalue()
    assert "0.123456" not in stream.getvalue()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    found = [(line["operation"], line["status"], line["error"]) for line in lines]
    assert found == [
        ("PutVectors", 200, ""),
        ("QueryVectors", 200, ""),
        ("TagResource", 200, ""),
        ("GetIndex", 200, ""),
        ("unknown", 403, "MissingAuthenticationTokenException"),
    ]
    last = lines[3]
    assert last["request_id"] == id_
    assert last["principal"] == "arn:aws:iam::000000000000:user/AKID"
    assert last["bytes_in"] == len(json.dumps(index))
    assert last["bytes_out"] > 100
    assert 0 < last["ms"] < 20_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", last["time"])
