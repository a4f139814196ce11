"""`s3vectors-local serve` in a process of its own, on loopback, and the plainest client there can be."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

_GRACE_SECONDS = 30
_TYPE = "content-type: application/json"
_RECEIVED = 64 * 1024


class Served:
    """A server over a folder, from the first line it prints until the `with` block ends."""

    def __init__(self, folder: Path) -> None:
        """Start it on a free port; return when it listens."""
        command = [sys.executable, "-m", "s3vectors_local.cli", "serve", "--port", "0", "--quiet", "--json"]
        self._process = subprocess.Popen([*command, "--data", folder], stdout=subprocess.PIPE, env=_defaults())
        stdout = self._process.stdout
        line = stdout.readline() if stdout else b""
        if not line:
            raise RuntimeError(f"the server did not start: exit code {self._process.wait()}")
        self.url: str = json.loads(line)["url"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process, politely first."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Connection:
    """One keep-alive connection; opened again after it broke."""

    def __init__(self, url: str) -> None:
        """Connect at the first call."""
        self._host, _, port = url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._socket: socket.socket | None = None

    def post(self, operation: str, body: bytes) -> Any:
        """Return the answer's JSON. Raises Refused for any status but 200, OSError when the connection breaks."""
        head = f"POST /{operation} HTTP/1.1\r\nhost: {self._host}\r\ncontent-length: {len(body)}\r\n{_TYPE}\r\n\r\n"
        try:
            status, answer = self._exchanged(head.encode() + body)
        except BaseException:
            self.close()
            raise
        if status != 200:
            raise Refused(f"{operation}: {status} {answer[:200].decode(errors='replace')}")
        return orjson.loads(answer) if answer else {}

    def _exchanged(self, request: bytes) -> tuple[int, bytes]:
        # By hand: the standard library's client takes as long to read an answer as the server to find it.
        if self._socket is None:
            self._socket = socket.create_connection((self._host, self._port), timeout=120)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        received = self._more(b"")
        while b"\r\n\r\n" not in received:
            received = self._more(received)
        head, _, answer = received.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(answer) < length:
            answer = self._more(answer)
        return int(head[9:12]), answer

    def _more(self, received: bytes) -> bytes:
        if self._socket is None:
            raise ConnectionError("not connected")
        data = self._socket.recv(_RECEIVED)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return received + data

    def close(self) -> None:
        """Close."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Refused(Exception):
    """The server answered with an error."""


def encoded(members: Mapping[str, Any]) -> bytes:
    """Return a request's body; NumPy rows become the shortest digits that give the same float32."""
    return orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)


def _defaults() -> dict[str, str]:
    """Return the environment without the limits on threads that trials are run under."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
