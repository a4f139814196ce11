"""A server whose plain queries are answered by processes of their own: nothing of that is seen from outside."""

import asyncio
import http.client
import itertools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from s3vectors_local.readers.pool import Pool, default_count
from s3vectors_local.readers.process import Start
from s3vectors_local.server import Options

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="readers are for Linux"),
    pytest.mark.xdist_group("readers"),  # one worker starts the server that most of them share
]

PLACE = {"vectorBucketName": "demo", "indexName": "flat"}
INDEX = {**PLACE, "dataType": "float32", "dimension": 4, "distanceMetric": "cosine"}


class Serving:
    """`s3vectors-local serve` with two readers, and what can be seen of its processes."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "s3vectors_local.cli", "serve", "--port", "0", "--json", "--data", str(folder)]
        self.process = subprocess.Popen(
            [*command, "--readers", "2", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(json.loads(self.process.stdout.readline())["url"].rpartition(":")[2])
        _until(lambda: "s3vectors_readers 2" in self.metrics())

    def readers(self) -> list[int]:
        """Return the process ids of the readers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children if b"readers.process" in _command(int(child))]

    def metrics(self) -> list[str]:
        """Return the lines of /metrics."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode().splitlines()

    def client(self, **more: Any) -> Any:
        """Return a boto3 client that does not try again."""
        given = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1", **more}
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=1)
        return boto3.client("s3vectors", endpoint_url=f"http://127.0.0.1:{self.port}", config=config, **given)

    def stop(self) -> str:
        """End the server as an operator does, and return what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        return said


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _until(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    server = Serving(tmp_path_factory.mktemp("readers") / "data")
    server.client().create_vector_bucket(vectorBucketName="demo")
    yield server
    server.stop()


@pytest.fixture
def serving(_shared: Serving) -> Iterator[Serving]:
    """Give a server that goes on for other tests, with a new index `flat` of 4 components."""
    client = _shared.client()
    client.create_index(**INDEX)
    yield _shared
    client.delete_index(**PLACE)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Serving]:
    """Give a server of the test's own, with the same index."""
    server = Serving(tmp_path / "data")
    _create(server.client())
    yield server
    server.stop()


def _create(client: Any) -> None:
    client.create_vector_bucket(vectorBucketName="demo")
    client.create_index(**INDEX)


def _put(client: Any, key: str, vector: list[float]) -> None:
    client.put_vectors(**PLACE, vectors=[{"key": key, "data": {"float32": vector}, "metadata": {"name": key}}])


def _nearest(client: Any, vector: list[float], top_k: int = 1, **more: Any) -> list[str]:
    found = client.query_vectors(**PLACE, topK=top_k, queryVector={"float32": vector}, **more)
    return [hit["key"] for hit in found["vectors"]]


@contextmanager
def _stopped(processes: list[int]) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def test_who_answers(serving: Serving) -> None:
    """While both readers are stopped a plain query waits for them; everything else is answered."""
    client = serving.client()
    _put(client, "a", [1, 0, 0, 0])
    with _stopped(serving.readers()):
        assert _nearest(serving.client(), [1, 0, 0, 0], filter={"name": "a"}) == ["a"]
        assert client.list_vectors(**PLACE)["vectors"] == [{"key": "a"}]
        body = json.dumps({**PLACE, "topK": 1, "queryVector": {"float32": [1, 0, 0, 0]}})
        with closing(http.client.HTTPConnection("127.0.0.1", serving.port, timeout=1)) as connection:
            connection.request("POST", "/QueryVectors", body)
            with pytest.raises(TimeoutError):
                connection.getresponse()
    assert _nearest(client, [1, 0, 0, 0]) == ["a"]


def test_what_was_written_is_found(serving: Serving) -> None:
    """On one connection, writes and queries in turn: every query sees every write that was answered before it."""
    client, other = serving.client(), serving.client()
    generator = np.random.default_rng(0)
    for number in range(60):
        vector = generator.standard_normal(4).astype(np.float32).tolist()
        _put(client, f"k{number}", vector)
        assert _nearest(client, vector) == [f"k{number}"]
        assert _nearest(other, vector) == [f"k{number}"]
        if number % 3 == 0:
            client.delete_vectors(**PLACE, keys=[f"k{number}"])
            assert f"k{number}" not in _nearest(other, vector, 99)


def test_pages_filters_and_plain_queries_on_one_connection(serving: Serving) -> None:
    """Results beyond a page, filters and plain queries come from whoever can give them, over the same connection."""
    client = serving.client()
    vectors = [
        {"key": f"k{n}", "data": {"float32": [1, n, 0, 0]}, "metadata": {"even": n % 2 == 0}} for n in range(250)
    ]
    client.put_vectors(**PLACE, vectors=vectors)
    for _ in range(3):
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = client.query_vectors(**PLACE, topK=250, queryVector={"float32": [1, 0, 0, 0]}, **token)
            found += [hit["key"] for hit in page["vectors"]]
            assert _nearest(client, [1, 0, 0, 0], 3) == ["k0", "k1", "k2"]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        assert found == [f"k{n}" for n in range(250)]
        assert _nearest(client, [1, 0, 0, 0], 2, filter={"even": False}) == ["k1", "k3"]


@pytest.mark.parametrize(
    "asked", ['"topK":1,"topK":200', '"x":{"topK":1},"topK":200', '"topK":1,"top\\u004b":200', '"topK":200']
)
def test_pages_however_they_are_asked_for(serving: Serving, asked: str) -> None:
    """The token of a first page is good for the next one, wherever else in the request a number of results stands."""
    vectors = [{"key": f"k{number}", "data": {"float32": [1, number, 0, 0]}} for number in range(200)]
    serving.client().put_vectors(**PLACE, vectors=vectors)
    members = json.dumps(PLACE | {"queryVector": {"float32": [1, 0, 0, 0]}}).removesuffix("}")
    found: list[str] = []
    token = ""
    for _ in range(2):
        with closing(http.client.HTTPConnection("127.0.0.1", serving.port, timeout=10)) as connection:
            connection.request("POST", "/QueryVectors", f"{members},{asked}{token}}}")
            page = json.loads(connection.getresponse().read())
        found += [each["key"] for each in page["vectors"]]
        token = f',"nextToken":"{page.get("nextToken")}"'
    assert found == [f"k{number}" for number in range(200)]


def test_errors_of_a_query(serving: Serving) -> None:
    """A reader refuses as the server does."""
    client = serving.client()
    with pytest.raises(ClientError) as caught:
        client.query_vectors(**{**PLACE, "indexName": "nope"}, topK=1, queryVector={"float32": [1, 0, 0, 0]})
    assert caught.value.response["Error"]["Code"] == "NotFoundException"
    with pytest.raises(ClientError) as caught:
        client.query_vectors(**PLACE, topK=1, queryVector={"float32": [1, 0, 0]})
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def _answers(received: bytes) -> list[tuple[int, Any]]:
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        size = int(dict(line.lower().split(": ", 1) for line in lines)["content-length"])
        found.append((int(status.split()[1]), json.loads(rest[:size] or b"{}")))
        received = rest[size:]
    return found


def _raw(operation: str, content: Any) -> bytes:
    body = json.dumps({**PLACE, **content}).encode()
    return b"POST /%b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (
        operation.encode(),
        len(body),
        body,
    )


@pytest.mark.parametrize(
    "content", [{"topK": 2}, {"topK": 0}, {"topK": 1, "queryVector": {"float32": [1]}}, {"topK": 3, "host": 1}]
)
def test_a_plain_query_is_answered_as_any_other(serving: Serving, content: dict[str, Any]) -> None:
    """The short way through a reader gives the same status, headers and body as the usual one, errors too."""
    _put(serving.client(), "a", [1, 0, 0, 0])
    query = {"queryVector": {"float32": [1, 0, 0, 0]}, "returnDistance": True, **content}
    request = _raw("QueryVectors", query)
    if "host" in content:
        request = request.replace(b"localhost", b"evil.example")
    unusual = request.replace(b"\r\n\r\n", b"\r\nx-name: caf\xc3\xa9\r\n\r\n", 1)
    for _ in range(2):  # for each of the readers: the first answer of a connection is given the usual way
        with socket.create_connection(("127.0.0.1", serving.port), timeout=20) as connection:
            first, *others = [_received(connection, each) for each in (request, request, unusual, request)]
        assert [other == first for other in others] == [True, True, True], (first, others)


def _received(connection: socket.socket, request: bytes) -> tuple[bytes, list[bytes], Any]:
    """Return the status line, the headers but for their times and ids, and the body of an answer."""
    connection.sendall(request)
    received = b""
    while not received.endswith(b"}"):
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return (
        status,
        [line.split(b": ")[0] if line.startswith((b"date", b"x-amzn-r", b"x-amz-r")) else line for line in lines],
        body,
    )


def test_a_length_that_is_none(alone: Serving) -> None:
    """What is no length of a body is refused, as it is without readers; the log has no traceback."""
    for length in (b"9" * 5_000, b"+2", b"two"):
        head = b"POST /QueryVectors HTTP/1.1\r\nhost: localhost\r\ncontent-length: %b\r\n\r\n" % length
        with socket.create_connection(("127.0.0.1", alone.port), timeout=20) as connection:
            status, _, body = _received(connection, head)
        assert status.startswith(b"HTTP/1.1 400 "), length
        assert json.loads(body)["message"] == "Invalid HTTP request received."
    assert "Traceback" not in alone.stop()


@pytest.mark.parametrize("how", ["at once", "in bytes", "slowly", "half closed"])
def test_requests_however_they_arrive(serving: Serving, how: str) -> None:
    """Queries and writes in turn are answered in their order: pipelined, byte by byte, with pauses, or half closed."""
    put = {"vectors": [{"key": "a", "data": {"float32": [1, 0, 0, 0]}}]}
    query = {"topK": 1, "queryVector": {"float32": [1, 0, 0, 0]}}
    requests = [_raw("QueryVectors", query), _raw("PutVectors", put), _raw("QueryVectors", query)]
    with socket.create_connection(("127.0.0.1", serving.port), timeout=20) as connection:
        if how == "at once":
            connection.sendall(b"".join(requests))
            connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        else:
            received = b"".join(
                _exchanged(connection, request, how, last=request is requests[-1]) for request in requests
            )
    assert [status for status, _ in _answers(received)] == [200, 200, 200]
    assert [len(content["vectors"]) for _, content in _answers(received) if content] == [0, 1]


@pytest.mark.parametrize("count", [130, 260, 500])
def test_large_writes_between_queries(serving: Serving, count: int) -> None:
    """A write of any size on a connection that a reader has is answered at once, and whole."""
    query = _raw("QueryVectors", {"topK": 1, "queryVector": {"float32": [1, 0, 0, 0]}})
    text = "x" * 900
    vectors = [
        {"key": f"{number}", "data": {"float32": [1, 0, 0, 0]}, "metadata": {"text": text}} for number in range(count)
    ]
    with socket.create_connection(("127.0.0.1", serving.port), timeout=10) as connection:
        for request in (query, _raw("PutVectors", {"vectors": vectors})) * 8:
            with _stopped(serving.readers()):  # else they would take what comes in smaller pieces
                connection.sendall(request)
                time.sleep(0.05)
            received = b""
            while not received.endswith(b"}"):
                received += connection.recv(65536)
            assert [status for status, _ in _answers(received)] == [200]
    (last,) = serving.client().get_vectors(**PLACE, keys=[f"{count - 1}"], returnMetadata=True)["vectors"]
    assert last["metadata"] == {"text": text}


def _exchanged(connection: socket.socket, request: bytes, how: str, *, last: bool) -> bytes:
    if how == "in bytes":
        for place in range(len(request)):
            connection.sendall(request[place : place + 1])
    else:
        connection.sendall(request[:70])
        time.sleep(1.3 if how == "slowly" else 0)
        connection.sendall(request[70:])
    if how == "half closed" and last:
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    received = b""
    while not received.endswith(b"}"):  # head and body come one after the other
        received += connection.recv(65536)
    return received


def test_metrics_count_what_readers_answer(alone: Serving) -> None:
    """Each query is counted once, and logged once, whoever answered it."""
    client = alone.client()
    _put(client, "a", [1, 0, 0, 0])
    for _ in range(7):
        _nearest(client, [1, 0, 0, 0])
    lines = alone.metrics()
    assert 's3vectors_requests_total{operation="QueryVectors",status="200"} 7' in lines
    assert alone.stop().count("200 QueryVectors") == 7


def test_what_was_answered_last(alone: Serving) -> None:
    """A server that ends at once after an answer has logged it, whoever gave it."""
    client = alone.client()
    _put(client, "a", [1, 0, 0, 0])
    for _ in range(5):
        _nearest(client, [1, 0, 0, 0])
    assert alone.stop().count("200 QueryVectors") == 5


def test_a_reader_that_dies(alone: Serving) -> None:
    """A killed reader takes its connections with it and nothing else; another one comes."""
    client = alone.client()
    _put(client, "a", [1, 0, 0, 0])
    assert _nearest(client, [1, 0, 0, 0]) == ["a"]
    before = alone.readers()
    for reader in before:
        os.kill(reader, signal.SIGKILL)
    _until(lambda: "s3vectors_readers 2" in alone.metrics() and not set(alone.readers()) & set(before))
    for _ in range(5):
        fresh = alone.client()
        assert _nearest(fresh, [1, 0, 0, 0]) == ["a"]
        _put(fresh, "a", [1, 0, 0, 0])
    assert "a reader ended (-9)" in alone.stop()


def test_a_reader_that_cannot_be_started(alone: Serving) -> None:
    """Where no handle is left a reader is started as soon as there is one again."""
    usual = resource.prlimit(alone.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(alone.process.pid, resource.RLIMIT_NOFILE, (1, usual[1]))
    os.kill(alone.readers()[0], signal.SIGKILL)
    time.sleep(2.5)
    resource.prlimit(alone.process.pid, resource.RLIMIT_NOFILE, usual)
    _until(lambda: "s3vectors_readers 2" in alone.metrics())
    said = alone.stop()
    assert "a reader could not be started (Too many open files)" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("first", ["pass", "os.close(int(sys.argv[3]))"], ids=["as it begins", "as it ends"])
def test_a_reader_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """The server goes on while a reader takes its time to read what it is told, or to end."""
    program = tmp_path / "reader"
    program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{first}\ntime.sleep(8)\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    start = Start(Path("x" * 200_000), "us-east-1", "000000000000", Options(), 1)

    async def longest() -> float:
        times = [time.monotonic()]
        pool = Pool(start, count=1, take=lambda *_: None, note=lambda _: None)
        while len(times) < 100:
            await asyncio.sleep(0.01)
            times.append(time.monotonic())
        await pool.close(seconds=0.1)
        return max(after - before for before, after in itertools.pairwise(times))

    assert asyncio.run(longest()) < 0.8


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_readers_end_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    """No reader outlives the server, however that ends; the end says nothing."""
    server = Serving(tmp_path / "data", "--quiet")
    client = server.client()
    _create(client)
    _nearest(client, [1, 0, 0, 0])
    readers = server.readers()
    server.process.send_signal(number)
    for reader in readers if number != signal.SIGKILL else ():
        with suppress(ProcessLookupError):
            os.kill(reader, number)  # as a terminal does
    _, said = server.process.communicate(timeout=30)
    assert said == ""
    _until(lambda: not any(_command(reader) for reader in readers))


def test_credentials(tmp_path: Path) -> None:
    """A reader checks signatures and policies itself."""
    policy = {"Statement": {"Effect": "Allow", "Action": "s3vectors:List*", "Resource": "*"}}
    secrets = [
        {"access_key_id": "ADMIN", "secret_access_key": "secret-of-admin"},
        {"access_key_id": "OTHER", "secret_access_key": "secret-of-other", "policy": policy},
    ]
    (tmp_path / "c.json").write_text(json.dumps(secrets))
    server = Serving(tmp_path / "data", "--credentials", str(tmp_path / "c.json"))
    admin = server.client(aws_access_key_id="ADMIN", aws_secret_access_key="secret-of-admin")  # noqa: S106
    _create(admin)
    _put(admin, "a", [1, 0, 0, 0])
    assert _nearest(admin, [1, 0, 0, 0]) == ["a"]
    for key, secret, code in (
        ("OTHER", "secret-of-other", "AccessDeniedException"),
        ("ADMIN", "wrong", "InvalidSignatureException"),
        ("NOBODY", "x", "UnrecognizedClientException"),
    ):
        client = server.client(aws_access_key_id=key, aws_secret_access_key=secret)
        with pytest.raises(ClientError) as caught:
            _nearest(client, [1, 0, 0, 0])
        assert caught.value.response["Error"]["Code"] == code
    said = server.stop()
    assert "secret" not in said
    assert "200 QueryVectors" in said


def test_how_many_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One a processor, four at most; none where there is one processor only, or on another system."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert default_count() == 2
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert default_count() == 4
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert default_count() == 0
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("sys.platform", "darwin")
    assert default_count() == 0
