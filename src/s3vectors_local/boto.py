"""A boto3 client whose requests are answered in this process: no socket, no signature, no configuration."""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from s3vectors_local.engine import Engine
from s3vectors_local.iam import Caller
from s3vectors_local.iam import caller as make_caller
from s3vectors_local.operations import Call, answer

_CONFIG = Config(signature_version=UNSIGNED)


def client(engine: Engine, *, caller: Caller | None = None, policy: Any = None, **kwargs: Any) -> Any:
    """Return a boto3 `s3vectors` client of the engine. Further arguments are those of boto3's `client`.

    It behaves as against AWS: requests are validated, serialized and parsed by botocore, errors are its exceptions.
    It may do everything, or what a caller may (`iam.caller`), or what an IAM policy allows: a document, its JSON text,
    or a list of these. Raises PolicyFault.
    """
    if caller is not None and policy is not None:
        raise TypeError("client() takes a caller, or a policy, not both")
    if policy is not None:
        caller = make_caller(f"arn:aws:iam::{engine.owner.account}:user/in-process", policy=policy)
    config = _CONFIG.merge(kwargs.pop("config", None) or Config())
    defaults = {
        "region_name": engine.owner.region,
        "endpoint_url": "http://s3vectors.invalid",
        "aws_access_key_id": "in-process",
        "aws_secret_access_key": "in-process",
    }
    made = _session().create_client("s3vectors", config=config, **(defaults | kwargs))
    attach(made, engine, caller=caller)
    return made


def attach(client: Any, engine: Engine, *, caller: Caller | None = None) -> None:
    """Let the engine answer every request of an existing client, instead of its endpoint; as a caller may.

    Raises ValueError for a caller of another account than the engine's.
    """
    if caller is not None and caller.identity.account != engine.owner.account:
        raise ValueError(f"{caller.arn} is not of the engine's account {engine.owner.account}")

    def respond(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        path, _, query = request.url.partition("://")[2].partition("?")
        reply = answer(engine, Call(request.method, _path(path), query, _body(request.body)), caller=caller)
        return AWSResponse(request.url, reply.status, dict(reply.headers), _Raw(reply.body))

    events = client.meta.events
    events.register("before-send.s3vectors", respond)
    # What failed in this process fails again at once: without this, botocore would sleep and retry.
    events.unregister("needs-retry.s3vectors", unique_id="retry-config-s3vectors")


@lru_cache(maxsize=1)
def _session() -> botocore.session.Session:
    """Return the session of all clients: the service model is read once, and what AWS is configured to here is not.

    Without boto3, whose client of this service is the same one: it takes a tenth of a second to import.
    """
    nowhere = (None, None, os.devnull, None)
    variables = {"profile": (None, None, None, None), "config_file": nowhere, "credentials_file": nowhere}
    return botocore.session.Session(session_vars=variables)


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
