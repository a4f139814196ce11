"""An OpenAI-compatible chat service over real HTTP, its answers scripted by a test; checked against the public API."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MEMBERS = {"model", "messages", "stream", "stream_options", "max_tokens"}


@dataclass
class Completions:
    """What is answered, and what came in."""

    url: str = ""
    body: Sequence[bytes] = ()
    """Parts of the answer, sent one by one."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """The Authorization headers."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the client left before the end."""

    def says(self, *pieces: str, reason: str | None = "stop", usage: tuple[int, int] | None = (12, 3)) -> None:
        """Answer with these pieces in the usual form."""
        chunks: list[dict[str, Any]] = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
        if reason:
            chunks.append({"choices": [{"delta": {}, "finish_reason": reason}]})
        if usage:
            chunks.append({"choices": [], "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}})
        self.body = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


@contextmanager
def completing() -> Iterator[Completions]:
    """Serve on a free port of this machine, at /v1."""
    service = Completions()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            assert set(document) <= _MEMBERS
            assert document["stream"] is True
            assert document["messages"][0]["role"] == "system"
            assert all(_is_message(message) for message in document["messages"])
            service.asked.append(document)
            service.keys.append(self.headers.get("Authorization", ""))
            self.send_response(service.status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.end_headers()  # HTTP/1.0: the answer ends with the connection
            try:
                for part in service.body:
                    self.wfile.write(part)
                    self.wfile.flush()
            except OSError:
                service.gone.set()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield service
        finally:
            server.shutdown()


def _is_message(message: dict[str, Any]) -> bool:
    content = message["content"]
    known = isinstance(content, str) or all(_is_part(part) for part in content)
    return known and message["role"] in {"system", "user", "assistant"}


def _is_part(part: dict[str, Any]) -> bool:
    if part["type"] == "text":
        return isinstance(part["text"], str)
    return part["type"] == "image_url" and str(part["image_url"]["url"]).startswith("data:image/jpeg;base64,")
