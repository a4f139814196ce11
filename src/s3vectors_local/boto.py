"""A boto3 client whose requests are answered in this process: no socket, no signature, no configuration."""

from collections.abc import Iterator
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from s3vectors_local.engine import Engine
from s3vectors_local.operations import answer

_CONFIG = Config(signature_version=UNSIGNED)


def client(engine: Engine, **kwargs: Any) -> Any:
    """Return a boto3 `s3vectors` client of the engine. Further arguments go to boto3's `client`.

    It behaves as against AWS: requests are validated, serialized and parsed by botocore, errors are its exceptions.
    """
    config = _CONFIG.merge(kwargs.pop("config", None) or Config())
    defaults = {
        "region_name": engine.owner.region,
        "endpoint_url": "http://s3vectors.invalid",
        "aws_access_key_id": "in-process",
        "aws_secret_access_key": "in-process",
    }
    made = boto3.session.Session().client("s3vectors", config=config, **(defaults | kwargs))
    attach(made, engine)
    return made


def attach(client: Any, engine: Engine) -> None:
    """Let the engine answer every request of an existing client, instead of its endpoint."""

    def respond(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        path, _, query = request.url.partition("://")[2].partition("?")
        reply = answer(engine, method=request.method, path=_path(path), query=query, body=_body(request.body))
        return AWSResponse(request.url, reply.status, dict(reply.headers), _Raw(reply.body))

    events = client.meta.events
    events.register("before-send.s3vectors", respond)
    # What failed in this process fails again at once: without this, botocore would sleep and retry.
    events.unregister("needs-retry.s3vectors", unique_id="retry-config-s3vectors")


class _Raw:
    """What botocore reads a response from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def _path(host_and_path: str) -> str:
    return "/" + host_and_path.partition("/")[2]


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else bytes(body)
