"""A reader's connection that cannot go yet, and what goes over a channel between processes when handles are scarce."""

import asyncio
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from uvicorn.server import ServerState

from s3vectors_local.connection import settings
from s3vectors_local.engine import Engine
from s3vectors_local.readers.channel import Channel, pair
from s3vectors_local.readers.passing import Passing
from s3vectors_local.server import app

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="readers are for Linux")

ANSWER = b"x" * 50_000
WRITE = b"POST /PutVectors HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8000000\r\n\r\n" + b" " * 8_000_000


async def _reading(engine: Engine, end: socket.socket, elsewhere: Callable[[int, bytes], bool], seconds: float) -> Any:
    """Return the connection of a reader whose client has not taken an answer of 50,000 bytes."""
    config = settings(app(engine), grace_seconds=1)
    config.load()
    made = partial(
        Passing,
        config=config,
        server_state=ServerState(),
        app_state={},
        reader=True,
        elsewhere=elsewhere,
        head_seconds=seconds,
    )
    end.setblocking(False)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    transport, connection = await asyncio.get_running_loop().connect_accepted_socket(made, end)
    transport.write(ANSWER)
    assert 0 < transport.get_write_buffer_size() < len(ANSWER)
    return connection


async def _sent(client: socket.socket, data: bytes) -> int:
    """Return how much of the data is taken, until no more is for half a second."""
    done, last = 0, time.monotonic()
    while done < len(data) and time.monotonic() - last < 0.5:
        with suppress(BlockingIOError):
            done += client.send(data[done : done + 65536])
            last = time.monotonic()
        await asyncio.sleep(0)
    return done


def test_a_connection_that_cannot_go_yet(engine: Engine) -> None:
    """A reader takes little of a request for another in while its client lets answers lie; then all of it goes."""
    given: asyncio.Queue[tuple[socket.socket, bytes]] = asyncio.Queue()

    def elsewhere(handle: int, received: bytes) -> bool:
        given.put_nowait((socket.socket(fileno=os.dup(handle)), received))
        return True

    async def exchange() -> None:
        loop = asyncio.get_running_loop()
        mine, client = socket.socketpair()
        client.setblocking(False)
        with closing(client):
            await _reading(engine, mine, elsewhere, 60.0)
            sent = await _sent(client, WRITE)
            assert sent < 2_000_000
            assert given.empty()
            answered = b""
            while len(answered) < len(ANSWER):
                answered += await loop.sock_recv(client, 65536)
            connection, received = await given.get()
            client.shutdown(socket.SHUT_WR)
            with closing(connection):
                while more := await loop.sock_recv(connection, 65536):
                    received += more
            assert received == WRITE[:sent]

    asyncio.run(asyncio.wait_for(exchange(), 30))


def test_a_client_that_never_takes_its_answers(engine: Engine) -> None:
    """Such a connection ends after the time that a request has to arrive."""

    async def exchange() -> None:
        mine, client = socket.socketpair()
        client.setblocking(False)
        with closing(client):
            await _reading(engine, mine, lambda *_: False, 0.5)
            client.send(WRITE[:1000])
            await asyncio.sleep(0.1)
            client.send(b" ")
            await asyncio.sleep(1)
            with pytest.raises(BrokenPipeError):
                client.send(b"x")

    asyncio.run(asyncio.wait_for(exchange(), 30))


@contextmanager
def _one_file_handle() -> Iterator[int]:
    """Leave room for one more file handle, and give it."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, usual[1]))
    try:
        yield free
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def test_no_handle_for_a_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A connection for which there is no handle is dropped, which is logged; nothing leaks, and the next one comes."""

    async def exchange() -> None:
        received: list[tuple[bytes, bool]] = []
        mine, theirs = pair()
        channel = Channel(mine, receive=lambda text, end: received.append((text, end is None)), lost=lambda: None)
        with closing(theirs), closing(channel):
            with _one_file_handle() as free:
                socket.send_fds(theirs, [b"first"], [0, 0])
                await asyncio.sleep(0.05)
                left = os.dup(0)
                os.close(left)
            theirs.send(b"second")
            await asyncio.sleep(0.05)
        assert left == free
        assert received == [(b"second", True)]

    asyncio.run(exchange())
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "no file handle is left" in caplog.text
