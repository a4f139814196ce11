"""ConverseStream of Amazon Bedrock over real HTTP, its answers scripted by a test.

Requests are held against botocore's own service model; events go out in AWS's binary framing, written from its public
description: two lengths, a checksum, headers, payload, a checksum.
"""

import base64
import json
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import boto3
import botocore.session
from botocore.config import Config
from botocore.validate import ParamValidator

Frame = tuple[str, dict[str, Any]]
"""The name of an event, or `!` and that of an exception; and its document."""


@dataclass
class Converse:
    """What is answered, and what came in."""

    url: str = ""
    frames: Sequence[Frame] = ()
    error: tuple[int, str, str] | None = None
    """Status, type and message answered instead."""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def client(self) -> Any:
        """Return a boto3 client of it."""
        return boto3.client(
            "bedrock-runtime",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="AKIDSTANDIN",
            aws_secret_access_key="standin-secret",  # noqa: S106  # opens nothing
            config=Config(retries={"total_max_attempts": 1}),
        )


def said(*pieces: str, stop: str = "end_turn", usage: tuple[int, int] = (12, 3)) -> list[Frame]:
    """Return the events of an ordinary answer."""
    return [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in pieces),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": stop}),
        (
            "metadata",
            {
                "usage": {"inputTokens": usage[0], "outputTokens": usage[1], "totalTokens": sum(usage)},
                "metrics": {"latencyMs": 1},
            },
        ),
    ]


@contextmanager
def conversing() -> Iterator[Converse]:
    """Serve on a free port of this machine."""
    service = Converse()
    shape = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("ConverseStream")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model, _, operation = unquote(self.path.removeprefix("/model/")).rpartition("/")
            request = _bytes(document) | {"modelId": model}
            report = ParamValidator().validate(request, shape.input_shape)
            assert operation == "converse-stream"
            assert not report.has_errors(), report.generate_report()
            service.asked.append(request)
            if service.error is not None:
                status, kind, message = service.error
                self._answer(status, json.dumps({"message": message}).encode(), **{"x-amzn-ErrorType": kind})
            else:
                self._answer(
                    200,
                    b"".join(_framed(*frame) for frame in service.frames),
                    **{"Content-Type": "application/vnd.amazon.eventstream"},
                )

        def _answer(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield service
        finally:
            server.shutdown()


def _bytes(document: Any) -> Any:
    """Return the document with what the wire carries as base64 turned into bytes."""
    if isinstance(document, dict):
        return {
            key: base64.b64decode(value, validate=True) if key == "bytes" else _bytes(value)
            for key, value in document.items()
        }
    return [_bytes(each) for each in document] if isinstance(document, list) else document


def _framed(name: str, document: dict[str, Any]) -> bytes:
    kind = "exception" if name.startswith("!") else "event"
    told = {f":{kind}-type": name.lstrip("!"), ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(
        struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for key, value in told.items()
    )
    payload = json.dumps(document).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))
