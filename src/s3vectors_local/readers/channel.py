"""What two processes of one server say to each other: messages, and connections with what was read of them."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_MESSAGE_BYTES: Final = 192 * 1024  # more than a plain query with its head takes
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
        """Send a message, and a file handle with it; return False when there is no room for it now, or nobody."""
        try:
            if handle is None:
                self._end.send(message)
            else:
                socket.send_fds(self._end, [message], [handle])
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
            message, handles, _, _ = socket.recv_fds(self._end, _MESSAGE_BYTES, 1)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            message, handles = b"", []
        if not message:
            self._stop_reading()
            self._lost()
            return
        self._receive(message, socket.socket(fileno=handles[0]) if handles else None)

    def _stop_reading(self) -> None:
        if self._end.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._end.fileno())
