"""What a role may do in S3, SQS and DynamoDB, which moto does not check."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSResponse
from tests.system.roles import ACCOUNT, REGION
from urllib3 import HTTPResponse

SERVICES = frozenset({"s3", "sqs", "dynamodb"})
_METHODS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(\w+)/")


class Grant(NamedTuple):
    """An action on an address, which is a pattern where it is granted."""

    action: str
    resource: str


class NotGranted(AssertionError):
    """A function asked for what its role does not allow."""


def asked(request: Any) -> Grant | None:
    """Return what a signed request needs, None for one to a service that is not checked here."""
    found = _SCOPE.search(str(request.headers.get("Authorization")))
    service = found[1] if found else ""
    if service == "s3":
        bucket, _, key = unquote(urlsplit(request.url).path).lstrip("/").partition("/")
        return Grant(_METHODS[request.method], f"arn:aws:s3:::{bucket}/{key}") if key else _listing(bucket)
    if service not in SERVICES:
        return None
    target = request.headers["X-Amz-Target"]
    operation = (target if isinstance(target, str) else target.decode()).rpartition(".")[2]
    document = json.loads(request.body)
    name = document["QueueUrl"].rpartition("/")[2] if service == "sqs" else f"table/{document['TableName']}"
    return Grant(f"{service}:{operation}", f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}")


def to_miss(wanted: Grant) -> Grant | None:
    """Return what it takes to be told that an object is missing, and not that it is denied."""
    if wanted.action != "s3:GetObject":
        return None
    return _listing(wanted.resource.removeprefix("arn:aws:s3:::").partition("/")[0])


def allows(statements: Sequence[Mapping[str, Any]], wanted: Grant, *, without: Grant | None = None) -> bool:
    """Say whether the statements allow it, with one grant taken away if it is named."""
    return any(
        wanted.action in statement["Action"] and fnmatchcase(wanted.resource, place)
        for statement in statements
        for place in statement["Resource"]
        if (wanted.action, place) != without
    )


def denial(request: Any, wanted: Grant) -> AWSResponse:
    """Return what the service answers to who may not."""
    said = f"not authorized to perform: {wanted.action} on resource: {wanted.resource}"
    if wanted.action.startswith("s3:"):
        status, content = 403, f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>".encode()
    else:
        status, content = 400, json.dumps({"__type": "AccessDeniedException", "message": said}).encode()
    raw = HTTPResponse(io.BytesIO(content), status=status, preload_content=False)
    return AWSResponse(request.url, status, {}, raw)


def _listing(bucket: str) -> Grant:
    return Grant("s3:ListBucket", f"arn:aws:s3:::{bucket}")
