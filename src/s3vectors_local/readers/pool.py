"""The readers of a server: started, given connections in turn, and started again when they end."""

import asyncio
import logging
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import orjson

from s3vectors_local.readers.channel import Channel, pair
from s3vectors_local.readers.process import Start
from s3vectors_local.telemetry import Event

_log = logging.getLogger(__name__)
_AGAIN_SECONDS: Final = 1.0
_MODULE: Final = "s3vectors_local.readers.process"


def default_count() -> int:
    """Return how many readers there are where nobody says: none where one processor, or the system, would not gain."""
    processors = os.cpu_count() or 1
    return min(4, processors) if sys.platform == "linux" and processors > 1 else 0


class Pool:
    """The readers. Used from one event loop."""

    def __init__(
        self, start: Start, *, count: int, take: Callable[[socket.socket, bytes], None], note: Callable[[Event], None]
    ) -> None:
        """Start so many. `take` gets the connections that come back, `note` what they answered."""
        self._start = start
        self._take = take
        self._note = note
        self._members: list[_Member] = []
        self._next = 0
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        for _ in range(count):
            self._add()

    @property
    def ready(self) -> int:
        """How many take connections now."""
        return sum(member.ready for member in self._members)

    def give(self, handle: int, received: bytes) -> bool:
        """Hand a connection to the next reader; False when none can take it now."""
        ready = [member for member in self._members if member.ready]
        self._next += 1
        return any(ready[(self._next + turn) % len(ready)].channel.send(received, handle) for turn in range(len(ready)))

    async def close(self, *, seconds: float) -> None:
        """Let the readers finish what they are answering, so many seconds at most, and hear what it was."""
        self._closed = True
        members, self._members = self._members, []
        await asyncio.gather(*(member.finish(seconds) for member in members), *self._ending)

    def _add(self) -> None:
        if self._closed:
            return
        try:
            self._members.append(_Member(self._start, take=self._take, note=self._note, lost=self._lost))
        except OSError as error:  # no handle, process or memory is left now
            _log.warning("a reader could not be started (%s); it is tried again", error.strerror)
            self._add_later()

    def _add_later(self) -> None:
        asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._add)

    def _lost(self, member: "_Member") -> None:
        if self._closed:
            return
        self._members.remove(member)
        task = asyncio.get_running_loop().create_task(self._replace(member))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _replace(self, member: "_Member") -> None:
        code = await asyncio.to_thread(member.end, _AGAIN_SECONDS)
        _log.warning("a reader ended (%s); another one is started", code)
        self._add_later()


class _Member:
    """One reader, seen from the server's process."""

    def __init__(
        self,
        start: Start,
        *,
        take: Callable[[socket.socket, bytes], None],
        note: Callable[[Event], None],
        lost: Callable[["_Member"], None],
    ) -> None:
        self.ready = False
        self._take = take
        self._note = note
        mine, theirs = pair()
        try:
            self._process = _process(theirs)
        except OSError:
            mine.close()
            raise
        finally:
            theirs.close()
        self.channel = Channel(mine, receive=self._receive, lost=self._gone)
        self._lost = lost
        self._all_heard = asyncio.Event()
        # In a thread: a pipe takes no more than 64 KiB at once, and its reader begins to read when it has begun.
        self._telling = asyncio.get_running_loop().run_in_executor(None, self._tell, pickle.dumps(start))

    async def finish(self, seconds: float) -> None:
        """Let it answer what it has begun, so many seconds at most, and take all that it says until it ends."""
        self.channel.finish()
        await asyncio.to_thread(self.end, seconds)
        await self._all_heard.wait()  # its end of the channel is closed with the process

    def end(self, seconds: float) -> int:
        """Wait for the process, and kill it after so many seconds; return its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _tell(self, start: bytes) -> None:
        pipe = self._process.stdin
        if pipe is not None:
            with suppress(BrokenPipeError), pipe:  # of one that ended at once: its channel tells that
                pipe.write(start)

    def _gone(self) -> None:
        self.channel.close()
        self._all_heard.set()
        self._lost(self)

    def _receive(self, message: bytes, connection: socket.socket | None) -> None:
        if connection is not None:
            self._take(connection, message)
        elif message == b"ready":
            self.ready = True
        else:
            for event in orjson.loads(message):
                self._note(Event(**event))


def _process(end: socket.socket) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", _MODULE, str(end.fileno())]
    # A session of its own: a terminal's Ctrl-C is for the server alone.
    return subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, pass_fds=[end.fileno()], start_new_session=True
    )
