"""The head of an answer goes out with its body."""

import asyncio
from typing import Any

import pytest

from s3vectors_local.connection import OneWrite

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class _Under(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.done: list[Any] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")

    def abort(self) -> None:
        self.done.append("aborted")

    def is_closing(self) -> bool:
        return "closed" in self.done or "aborted" in self.done

    def get_write_buffer_size(self) -> int:
        return 5


@pytest.mark.parametrize(
    ("writes", "sent"),
    [
        ([HEAD, b"{}"], [HEAD + b"{}"]),
        ([HEAD, b""], [HEAD]),
        ([HEAD, b"{}", HEAD, b"{}"], [HEAD + b"{}", HEAD + b"{}"]),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", HEAD, b"{}"], [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"{}"]),
        ([HEAD, b"2\r\nhe\r\n", b"0\r\n\r\n"], [HEAD + b"2\r\nhe\r\n", b"0\r\n\r\n"]),
    ],
)
def test_a_head_waits_for_its_body(writes: list[bytes], sent: list[bytes]) -> None:
    """What a client gets is the same, in fewer pieces; an interim answer does not wait."""
    under = _Under()
    transport = OneWrite(under)
    for data in writes:
        transport.write(data)
    assert under.done == sent


def test_a_head_alone() -> None:
    """It goes out when the answer is complete, or the connection is closed, and counts as not sent until then."""
    under = _Under()
    transport = OneWrite(under)
    transport.write(HEAD)
    assert under.done == []
    assert transport.get_write_buffer_size() == 5 + len(HEAD)
    transport.flush()
    transport.flush()
    assert under.done == [HEAD]
    transport.write(HEAD)
    transport.close()
    assert under.done == [HEAD, HEAD, "closed"]
    transport.write(HEAD)
    transport.write(b"{}")
    assert under.done == [HEAD, HEAD, "closed"]


def test_nothing_goes_out_after_an_abort() -> None:
    """A connection that is given to another process is as if nothing had been said."""
    under = _Under()
    transport = OneWrite(under)
    transport.write(HEAD)
    transport.abort()
    transport.flush()
    assert under.done == ["aborted"]
