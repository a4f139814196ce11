"""`s3vectors-local serve` in a process of its own, on loopback, and the plainest client there can be."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

_GRACE_SECONDS = 30


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
        self._http = HTTPConnection(url.removeprefix("http://"), timeout=120)

    def post(self, operation: str, body: bytes) -> Any:
        """Return the answer's JSON. Raises Refused for any status but 200, OSError and HTTPException when it breaks."""
        try:
            self._http.request("POST", f"/{operation}", body, {"content-type": "application/json"})
            response = self._http.getresponse()
            answer = response.read()
        except BaseException:
            self._http.close()
            raise
        if response.status != 200:
            raise Refused(f"{operation}: {response.status} {answer[:200].decode(errors='replace')}")
        return orjson.loads(answer) if answer else {}

    def close(self) -> None:
        """Close."""
        self._http.close()


class Refused(Exception):
    """The server answered with an error."""


def encoded(members: Mapping[str, Any]) -> bytes:
    """Return a request's body; NumPy rows become the shortest digits that give the same float32."""
    return orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)


def _defaults() -> dict[str, str]:
    """Return the environment without the limits on threads that trials are run under."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
