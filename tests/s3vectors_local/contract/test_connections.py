"""What goes over a socket: clients that stop halfway, that ask first, or that do not speak HTTP."""

import gzip
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any

import pytest

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.server import Options

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what was not sent or read is dropped
LIST = b"POST /ListVectorBuckets HTTP/1.1\r\nhost: localhost\r\n"
WHOLE = LIST + b"content-length: 2\r\n\r\n{}"


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        yield connection


def _to_the_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def _answers(received: bytes) -> list[tuple[int, dict[str, str], Any]]:
    """Return status, headers and content of each answer, one after the other."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        size = int(headers["content-length"])
        found.append((int(status.split()[1]), headers, json.loads(rest[:size])))
        received = rest[size:]
    return found


def _exchange(port: int, sent: bytes, *, half_close: bool = False) -> list[tuple[int, dict[str, str], Any]]:
    with _connected(port) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return _answers(_to_the_end(connection))


def _errors(port: int, sent: bytes, *, half_close: bool = False) -> list[tuple[int, str | None]]:
    found = _exchange(port, sent, half_close=half_close)
    assert all(content for *_, content in found)
    return [(status, headers.get("x-amzn-errortype")) for status, headers, _ in found]


def test_half_closed_after_a_request(served: int) -> None:
    """A client that closes its side once it has asked is answered, and then the connection ends."""
    ((status, _, content),) = _exchange(served, WHOLE, half_close=True)
    assert status == 200
    assert "vectorBuckets" in content


OFFERS = ("h2c", "TLS/1.2", "websocket")


@pytest.mark.parametrize("offered", OFFERS)
@pytest.mark.parametrize("pause", [None, 40, -27, -3], ids=["at once", "in the head", "after the head", "in the body"])
def test_another_protocol_is_offered(served: int, offered: str, pause: int | None) -> None:
    """An offer is declined: the request is answered with its body, and what follows is another request."""
    body = b'{"vectorBucketName":"nope"}'
    upgrade = f"connection: Upgrade, HTTP2-Settings\r\nupgrade: {offered}\r\nhttp2-settings: AAMAAABk\r\n".encode()
    sent = b"POST /GetVectorBucket HTTP/1.1\r\nhost: localhost\r\n%bcontent-length: 27\r\n\r\n%b" % (upgrade, body)
    with _connected(served) as connection:
        connection.sendall(sent[:pause])
        time.sleep(0.05)
        connection.sendall(sent[pause:] + WHOLE if pause else WHOLE)
        connection.shutdown(socket.SHUT_WR)
        (first, _, missing), (second, _, listed) = _answers(_to_the_end(connection))
    assert (first, missing["message"]) == (404, "The specified vector bucket could not be found")
    assert (second, list(listed)) == (200, ["vectorBuckets"])


def test_another_protocol_is_offered_with_chunks(served: int) -> None:
    """A body in chunks, too; and a second offer on the same connection."""
    head = b"POST /GetVectorBucket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
    sent = head + b"transfer-encoding: chunked\r\n\r\n" + b'1b\r\n{"vectorBucketName":"nope"}\r\n0\r\n\r\n'
    assert _errors(served, sent + sent + WHOLE, half_close=True) == [(404, "NotFoundException")] * 2 + [(200, None)]


def test_many_offers_at_once(served: int) -> None:
    """However many offers come in one piece, each is answered."""
    offer = LIST + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n{}"
    assert _errors(served, offer * 1_500 + WHOLE, half_close=True) == [(200, None)] * 1_501


def test_what_comes_after_an_offer_is_no_request(engine: Engine, serve: Any) -> None:
    """A body that reads as a request is not run as one."""
    create = (
        b'POST /CreateVectorBucket HTTP/1.1\r\nhost: localhost\r\ncontent-length: 27\r\n\r\n{"vectorBucketName":"evil"}'
    )
    head = b"POST /ListVectorBuckets HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
    with serve(engine) as server:
        assert _errors(server.port, head + b"content-length: %d\r\n\r\n" % len(create) + create, half_close=True)
    assert [bucket.name for bucket in engine.list_buckets().items] == ["demo"]


def test_a_tunnel_is_not_made(served: int) -> None:
    """CONNECT is no operation, and ends the connection."""
    found = _errors(served, b"CONNECT /x HTTP/1.1\r\nhost: localhost\r\n\r\n" + WHOLE)
    assert found == [(404, "UnknownOperationException")]


def test_half_closed_after_several_requests(served: int) -> None:
    """Requests that were sent at once are all answered, in their order."""
    unknown = WHOLE.replace(b"ListVectorBuckets", b"Nope")
    found = _errors(served, WHOLE + unknown + WHOLE, half_close=True)
    assert found == [(200, None), (404, "UnknownOperationException"), (200, None)]


@pytest.mark.parametrize(
    "sent",
    [
        WHOLE[:20],
        WHOLE[:60],
        LIST + b"content-length: 100\r\n\r\n",
        LIST + b"content-length: 100\r\n\r\n{}",
        LIST + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
    ids=["line", "head", "no body", "half a body", "chunks"],
)
def test_half_closed_inside_a_request(served: int, sent: bytes) -> None:
    """A request that is cut short is an error, and is not run."""
    assert _errors(served, sent, half_close=True) == [(400, "SerializationException")]
    assert _errors(served, WHOLE, half_close=True) == [(200, None)]


@pytest.mark.parametrize("rest", [WHOLE[:30], WHOLE[:-1], WHOLE + WHOLE[:-1]], ids=["head", "body", "third"])
def test_half_closed_inside_a_later_request(engine: Engine, serve: Any, rest: bytes) -> None:
    """Those that came whole before it are answered first, then the connection ends."""
    busy = Event()
    original = engine.list_buckets

    def wait(**arguments: Any) -> Any:
        assert busy.wait(20)
        return original(**arguments)

    engine.list_buckets = wait  # type: ignore[method-assign]
    with serve(engine) as server, _connected(server.port) as connection:
        connection.sendall(WHOLE + rest)
        time.sleep(0.1)
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        busy.set()
        found = _answers(_to_the_end(connection))
    assert [status for status, *_ in found] == [200] * (1 + rest.count(WHOLE))


def test_what_was_cut_short_is_not_run(engine: Engine, serve: Any) -> None:
    """Not even where what came reads as a request."""
    body = b'{"vectorBucketName":"half"}'
    head = b"POST /CreateVectorBucket HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n"
    with serve(engine) as server:
        assert _errors(server.port, head + body, half_close=True) == [(400, "SerializationException")]
        assert _errors(server.port, WHOLE, half_close=True) == [(200, None)]
    assert [bucket.name for bucket in engine.list_buckets().items] == ["demo"]


def test_silence(served: int) -> None:
    """A connection without a request, or without a further one, is closed without an answer."""
    assert _exchange(served, b"", half_close=True) == []
    with _connected(served) as connection:
        connection.sendall(WHOLE)
        assert _answers(connection.recv(65536))[0][0] == 200
        connection.shutdown(socket.SHUT_WR)
        assert _to_the_end(connection) == b""


@pytest.mark.parametrize("before", [b"", WHOLE])
def test_a_head_that_never_ends(engine: Engine, serve: Any, before: bytes) -> None:
    """Who begins a request and does not go on is told so, and the connection ends; further drops change nothing."""
    with serve(engine, head_seconds=0.3) as server, _connected(server.port) as connection:
        connection.sendall(before + LIST[:-4])
        time.sleep(0.2)
        connection.sendall(LIST[-4:-2])
        *first, last = _answers(_to_the_end(connection))
        assert (last[0], last[1]["x-amzn-errortype"], last[1]["connection"]) == (
            408,
            "RequestTimeoutException",
            "close",
        )
        assert [status for status, *_ in first] == [200] * bool(before)


def test_no_hurry_between_requests(engine: Engine, serve: Any) -> None:
    """The time for a head does not run while none has begun, nor while a body comes."""
    with serve(engine, head_seconds=0.2) as server, _connected(server.port) as connection:
        for request in (WHOLE, LIST + b"content-length: 2\r\n\r\n"):
            time.sleep(0.3)
            connection.sendall(request)
            time.sleep(0.3)
            connection.sendall(b"" if request is WHOLE else b"{}")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_asking_first(served: int) -> None:
    """A client that waits for leave to send its body gets it."""
    with _connected(served) as connection:
        connection.sendall(LIST + b"content-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert _answers(_to_the_end(connection))[0][0] == 200


def test_asking_first_for_too_much(served: int) -> None:
    """A client that waits, and would send too much, is refused before it sends."""
    size = str(limits.BODY_BYTES + 1).encode()
    head = LIST + b"content-length: " + size + b"\r\nexpect: 100-continue\r\n\r\n"
    assert _errors(served, head) == [(400, "ValidationException")]
    with _connected(served) as connection:
        connection.sendall(head.replace(size, str(limits.BODY_BYTES).encode()))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        LIST + b"content-length: -1\r\n\r\n",
        LIST + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        LIST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        LIST + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}",
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "negative length", "two kinds of length", "two lengths", "not a chunk", "long path"],
)
def test_not_http(served: int, sent: bytes) -> None:
    """What is not HTTP/1.1 is an error like the others."""
    assert _errors(served, sent) == [(400, "SerializationException")]


LARGE = "The head of a request may have 65536 bytes at most"


@pytest.mark.parametrize(
    "head",
    [
        LIST + b"x: " + b"a" * 66_000 + b"\r\n\r\n",
        LIST + b"x: %b\r\n" % (b"a" * 1_000) * 70 + b"\r\n",
        b"POST /" + b"a" * 66_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        LIST + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + b"x: %b\r\n" % (b"a" * 1_000) * 70,
    ],
    ids=["a long line", "many lines", "a long path", "after a body"],
)
def test_large_head(served: int, head: bytes) -> None:
    """A head is bounded, and so is what may follow a body; less than the bound is taken."""
    found = _exchange(served, head)
    assert [(status, content.get("message")) for status, _, content in found][-1] == (400, LARGE)
    assert _errors(served, LIST + b"x: " + b"a" * 60_000 + b"\r\ncontent-length: 2\r\n\r\n{}", half_close=True) == [
        (200, None)
    ]


@pytest.mark.parametrize("line", [b"x: ", b"", b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: "])
def test_endless_head(served: int, line: bytes) -> None:
    """A line that never ends is not kept for as long as its sender likes."""
    with _connected(served) as connection:
        connection.sendall(LIST + line)
        sent = _sent_until_refused(connection, b"a" * 10_000, most=100_000_000)
    assert sent < 20_000_000  # most of it in the buffers of the system


def _sent_until_refused(connection: socket.socket, data: bytes, *, most: int) -> int:
    sent = 0
    with suppress(OSError):  # nobody reads any more
        while sent < most:
            connection.sendall(data)
            sent += len(data)
    return sent


def test_idle(engine: Engine, serve: Any) -> None:
    """A connection on which nothing comes, or nothing but ends of lines, is closed in a while; one in use is not."""
    with serve(engine, idle_seconds=1) as server:
        for sent in (b"", b"\r\n\r\n"):
            with _connected(server.port) as connection:
                connection.sendall(sent)
                assert _to_the_end(connection) == b""
        with _connected(server.port) as connection:
            for _ in range(3):
                time.sleep(0.6)
                connection.sendall(WHOLE)
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_request_is_told(engine: Engine, serve: Any) -> None:
    """What was refused before it was a request is counted and logged like every other."""
    seen: list[tuple[str, int, str]] = []
    options = Options(log=lambda event: seen.append((event.operation, event.status, event.error)))
    with serve(engine, options, head_seconds=0.2) as server:
        assert _errors(server.port, b"nonsense\r\n\r\n") == [(400, "SerializationException")]
        assert _errors(server.port, LIST) == [(408, "RequestTimeoutException")]
    assert seen == [("unknown", 400, "SerializationException"), ("unknown", 408, "RequestTimeoutException")]


def test_gone_before_the_answers(engine: Engine, serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A client that sends several requests and goes away is no fault of the server: nothing is said about it."""
    with serve(engine) as server:
        logging.getLogger("uvicorn.error").addHandler(caplog.handler)
        for number in range(60):
            with _connected(server.port) as connection:
                connection.sendall(WHOLE * 3)
                time.sleep(number % 6 / 1000)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with _connected(server.port) as connection:
            connection.sendall(WHOLE)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    logging.getLogger("uvicorn.error").removeHandler(caplog.handler)
    assert caplog.records == []


def test_http_1_0(served: int) -> None:
    """HTTP/1.0 is answered, one request a connection."""
    assert _errors(served, WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0")) == [(200, None)]


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (b"gzip", (415, "UnsupportedMediaTypeException")),
        (b"aws-chunked", (415, "UnsupportedMediaTypeException")),
        (b"Identity", (200, None)),
        (b"", (200, None)),
    ],
)
def test_encoded_body(served: int, encoding: bytes, expected: tuple[int, str | None]) -> None:
    """A compressed body is refused as such; what is as it is may say so."""
    body = gzip.compress(b"{}") if encoding == b"gzip" else b"{}"
    head = LIST + b"content-encoding: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (encoding, len(body))
    assert _errors(served, head + body) == [expected]


@pytest.mark.parametrize("kind", [b"text/plain", b"application/x-amz-json-1.1", b"application/cbor", b"", b"/"])
def test_content_type(served: int, kind: bytes) -> None:
    """A body is read as JSON, whatever it is called."""
    sent = WHOLE.replace(b"content-length", b"connection: close\r\ncontent-type: " + kind + b"\r\ncontent-length")
    assert _errors(served, sent) == [(200, None)]


def test_many_at_once(served: int) -> None:
    """Fifty connections that stop halfway are no harm to one that does not."""
    halves = [socket.create_connection(("127.0.0.1", served)) for _ in range(50)]
    for half in halves:
        half.sendall(WHOLE[:70])
    threads = [threading.Thread(target=half.shutdown, args=(socket.SHUT_WR,)) for half in halves]
    for thread in threads:
        thread.start()
    assert _errors(served, WHOLE, half_close=True) == [(200, None)]
    for thread, half in zip(threads, halves, strict=True):
        thread.join()
        half.close()
