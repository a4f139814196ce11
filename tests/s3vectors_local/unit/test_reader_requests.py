"""Whose request it is, told from what has arrived of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3vectors_local.readers.requests import is_for_reader, plain

BODY = b'{"topK":10,"queryVector":{"float32":[1,2]},"returnMetadata":true}'


def _request(body: bytes = BODY, *, line: bytes = b"POST /QueryVectors HTTP/1.1", more: bytes = b"") -> bytes:
    return line + b"\r\nhost: localhost\r\nContent-Length: " + str(len(body)).encode() + b"\r\n" + more + b"\r\n" + body


@given(cut=st.integers(0, len(_request()) - 1))
def test_a_beginning_tells_nothing(cut: int) -> None:
    """Of a plain query nothing is decided before its last byte is there; then it is a reader's."""
    assert is_for_reader(_request()[:cut]) is None
    assert is_for_reader(_request()) is True


@given(more=st.binary(min_size=1, max_size=40))
def test_more_than_one_request(more: bytes) -> None:
    """What goes on behind a plain query is not passed on: the next request would get lost on the way."""
    assert is_for_reader(_request() + more) is False


@pytest.mark.parametrize(
    "request_",
    [
        _request(line=b"POST /PutVectors HTTP/1.1"),
        _request(line=b"GET /health HTTP/1.1"),
        _request(line=b"POST /QueryVectors HTTP/1.0"),
        _request(line=b"POST /QueryVectors?a=b HTTP/1.1"),
        _request(b'{"topK":10,"filter":{"a":1}}'),
        _request(b'{"topK":10,"queryTexts":[]}'),
        _request(b'{"topK":10,"nextToken":"a"}'),
        _request(b'{"topK":100,"queryVector":{"float32":[1]}}'),
        _request(b'{"queryVector":{"float32":[1]}}'),
        _request(b'{"topK":10}' + b" " * 200_000),
        _request(more=b"Expect: 100-continue\r\n"),
        _request(more=b"content-length: 5\r\n"),
        _request(more=b"content-length: five\r\n"),
        _request(more=b"content-length:\r\n"),
        _request().replace(b"Content-Length: ", b"Content-Length: +"),
        _request().replace(b"Content-Length: ", b"Content-Length: " + b"0" * 5_000),
        _request().replace(b"Content-Length: ", b"Content-Length: " + b"9" * 5_000),
        _request(more=b"Transfer-Encoding: chunked\r\n"),
        b"POST /QueryVectors HTTP/1.1\r\nhost: a\r\n\r\n{}",
        b"POST /QueryVectors HTTP/1.1\r\n" + b"x: y\r\n" * 4_000,
        b"\x16\x03\x01",
    ],
)
def test_everything_else(request_: bytes) -> None:
    """Other operations, longer questions, and whatever is unusual stay with the writer."""
    assert is_for_reader(request_) is False


def test_the_parts_of_a_plain_query() -> None:
    """Its headers come as a parser would give them, and its body as it is."""
    received = (
        b"POST /QueryVectors HTTP/1.1\r\nHost:localhost:8\r\nX-Two: a  b, c\r\nx-two: d\r\nEmpty:\r\n"
        b"Connection: keep-alive\r\nContent-Length: 6\r\n\r\n{\r\n\r\n}"
    )
    headers = [
        ("host", "localhost:8"),
        ("x-two", "a  b, c"),
        ("x-two", "d"),
        ("empty", ""),
        ("connection", "keep-alive"),
        ("content-length", "6"),
    ]
    assert plain(received) == (headers, b"{\r\n\r\n}")


@pytest.mark.parametrize(
    "line",
    [
        b"connection: close",
        b"Connection: keep-alive, close",
        b"connection: upgrade",
        b"te: trailers",
        b"x: caf\xc3\xa9",
        b"x: behind ",
        b" folded",
        b"x : y",
        b"x",
        b"x: a\rb",
        b"x: a\nb",
        b"x: a\x00b",
        b"x\x80: a",
        b": a",
    ],
)
def test_an_unusual_head_is_left_to_the_parser(line: bytes) -> None:
    """What is not plain in every respect is not judged here."""
    received = b"POST /QueryVectors HTTP/1.1\r\nhost: localhost\r\n%b\r\ncontent-length: 2\r\n\r\n{}" % line
    assert plain(received) is None
