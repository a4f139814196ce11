"""What two processes of one server say to each other: messages, and connections with what was read of them."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_log = logging.getLogger(__name__)
_MESSAGE_BYTES: Final = 128 * 1024
"""Of a message at most: systems may refuse one that is as long as their smallest buffers, and cut off what is longer
than the receiver expects. What was read of a connection may be longer: then it goes in a file in memory."""
_ELSEWHERE: Final = b"in the second handle"
_BUFFER_BYTES: Final = 4 * 1024 * 1024

Receive = Callable[[bytes, socket.socket | None], None]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a channel in which messages stay whole. Raises OSError where the system has no such."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return ends


class Channel:
    """One end, used from an event loop."""

    def __init__(self, end: socket.socket, *, receive: Receive, lost: Callable[[], None]) -> None:
        """Own the socket, and call `receive` for each message and `lost` once no more will come."""
        self._end = end
        self._receive = receive
        self._lost = lost
        asyncio.get_running_loop().add_reader(end.fileno(), self._read)

    def send(self, message: bytes, handle: int | None = None) -> bool:
        """Send a message, and a file handle with it; return False when there is no room for it now, or nobody.

        Beside a handle the message may have any length.
        """
        try:
            if handle is None:
                self._end.send(message)
            elif len(message) <= _MESSAGE_BYTES:
                socket.send_fds(self._end, [message], [handle])
            else:
                with _in_memory(message) as held:
                    socket.send_fds(self._end, [_ELSEWHERE], [handle, held])
        except OSError:  # full, or closed: then `lost` is called
            return False
        return True

    def finish(self) -> None:
        """Tell the other end that this one says no more; it may still speak."""
        with suppress(OSError):  # nobody is there any more: `lost` is called
            self._end.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close this end; the other one is told."""
        self._stop_reading()
        self._end.close()

    def _read(self) -> None:
        try:
            message, handles, flags, _ = socket.recv_fds(self._end, _MESSAGE_BYTES, 2)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            message, handles, flags = b"", [], 0
        if not message:
            self._stop_reading()
            self._lost()
            return
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            for handle in handles:
                os.close(handle)
            _log.error("a message between processes of the server came in part: too long, or no file handle is left")
            return
        if len(handles) > 1:
            with os.fdopen(handles[1], "rb") as held:
                message = held.read()
        self._receive(message, socket.socket(fileno=handles[0]) if handles else None)

    def _stop_reading(self) -> None:
        if self._end.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._end.fileno())


@contextmanager
def _in_memory(message: bytes) -> Iterator[int]:
    """Give the handle of a file that holds a message, and is gone with its last handle."""
    handle = os.memfd_create("received", os.MFD_CLOEXEC)
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(message)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)
