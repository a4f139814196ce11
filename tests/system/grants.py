"""What a role may do in S3, which moto does not check."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}


class NotGranted(AssertionError):
    """A function asked for what its role does not allow."""


def check(request: Any, statements: Sequence[Mapping[str, Any]]) -> None:
    """Raise NotGranted unless the statements allow this request to S3."""
    bucket, _, key = unquote(urlsplit(request.url).path).lstrip("/").partition("/")
    action = _ACTIONS[request.method] if key else "s3:ListBucket"
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    for statement in statements:
        if action in statement["Action"] and any(fnmatchcase(resource, each) for each in statement["Resource"]):
            return
    raise NotGranted(f"{action} on {resource} is not granted")
