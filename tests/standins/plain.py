"""A server that answers as a test tells it to."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Reply: TypeAlias = tuple[int, str, Any]
"""Status, error type (empty for none) and document."""


@dataclass(frozen=True)
class Request:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def answering(answer: Callable[[Request], Reply]) -> Iterator[tuple[str, list[str]]]:
    """Serve on a free port of this machine; give the address and the list of the paths that were asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            paths.append(self.path)
            status, error, document = answer(Request(self.command, self.path, dict(self.headers), body))
            content = json.dumps(document).encode()
            self.send_response(status)
            for name, value in (("Content-Length", str(len(content))), ("x-amzn-ErrorType", error)):
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", paths
        finally:
            server.shutdown()


def forwarded(request: Request, url: str) -> Reply:
    """Return what another server answers to the request."""
    headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
    asked = urllib.request.Request(  # noqa: S310  # a server of this machine
        url + request.path, data=request.body, headers=headers, method=request.method
    )
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310  # as above
            return answer.status, "", json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("x-amzn-ErrorType", ""), json.loads(error.read() or b"{}")
