"""Signature Version 4: is a request signed with a secret, for a region and service, now? Pure; headers only.

What is signed is taken as it was sent: paths are not normalised and queries not decoded, so no two requests that the
service would read differently have one signature.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from s3vectors_local.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
)

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW: Final = timedelta(minutes=15)
_TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"
_MUST_BE_SIGNED: Final = ("host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token")
_HEADER: Final = re.compile(
    rf"{ALGORITHM} +Credential=(?P<key>[^/,\s]+)/(?P<date>[0-9]{{8}})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request *, *SignedHeaders=(?P<signed>[^,\s]+) *, *Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it came: path and query percent-encoded, names of headers in lower case."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value, its repetitions joined; None where it is missing."""
        values = [" ".join(value.split()) for each, value in self.headers if each == name]
        return ",".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Authorization:
    """What the Authorization header claims."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str


def authorization(request: Signed) -> Authorization:
    """Return the claim. Raises MissingAuthenticationTokenException, IncompleteSignatureException."""
    header = request.header("authorization")
    if header is None:
        raise MissingAuthenticationTokenException
    match = _HEADER.fullmatch(header)
    if match is None:
        raise IncompleteSignatureException(
            f"The Authorization header must be '{ALGORITHM} Credential=KEY/DATE/REGION/SERVICE/aws4_request, "
            "SignedHeaders=..., Signature=...'"
        )
    key, date, region, service, signed, signature = match.groups()
    return Authorization(key, date, region, service, tuple(signed.split(";")), signature)


def verify(
    request: Signed, claim: Authorization, *, secret: str, region: str, service: str, now: datetime | None = None
) -> None:
    """Return when the claim holds. Raises IncompleteSignatureException, InvalidSignatureException."""
    _check_headers(request, claim)
    timestamp = request.header("x-amz-date") or ""
    _check_time(timestamp, claim.date, now or datetime.now(UTC))
    if (claim.region, claim.service) != (region, service):
        raise InvalidSignatureException(f"Credential should be scoped to {region}/{service}")
    expected = _signature(request, claim, secret=secret, timestamp=timestamp, payload=_payload(request))
    if not hmac.compare_digest(expected, claim.signature):
        raise InvalidSignatureException


def _check_headers(request: Signed, claim: Authorization) -> None:
    present = {name for name, _ in request.headers}
    for name in _MUST_BE_SIGNED:
        if name in present and name not in claim.signed:
            raise IncompleteSignatureException(f"The header {name} must be signed")
    for name in ("host", "x-amz-date"):
        if name not in present:
            raise IncompleteSignatureException(f"The request must have a header {name}")


def _check_time(timestamp: str, date: str, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        raise IncompleteSignatureException("The header x-amz-date must be of the form 20260131T235959Z") from None
    if timestamp[:8] != date:
        raise InvalidSignatureException("Date in Credential scope does not match YYYYMMDD from x-amz-date")
    if signed_at < now - SKEW:
        earliest = (now - SKEW).strftime(_TIMESTAMP)
        raise InvalidSignatureException(f"Signature expired: {timestamp} is now earlier than {earliest}")
    if signed_at > now + SKEW:
        latest = (now + SKEW).strftime(_TIMESTAMP)
        raise InvalidSignatureException(f"Signature not yet current: {timestamp} is still later than {latest}")


def _payload(request: Signed) -> str:
    # The body is always hashed: what a client may leave unsigned elsewhere (UNSIGNED-PAYLOAD) is refused.
    digest = hashlib.sha256(request.body).hexdigest()
    declared = request.header("x-amz-content-sha256")
    if declared is not None and not hmac.compare_digest(declared.encode(), digest.encode()):
        raise InvalidSignatureException("The header x-amz-content-sha256 is not the SHA-256 of the body")
    return digest


def _signature(request: Signed, claim: Authorization, *, secret: str, timestamp: str, payload: str) -> str:
    headers = "".join(f"{name}:{request.header(name) or ''}\n" for name in claim.signed)
    canonical = "\n".join(
        (
            request.method,
            quote(request.path, safe="/~"),
            _query(request.query),
            headers,
            ";".join(claim.signed),
            payload,
        )
    )
    scope = (claim.date, claim.region, claim.service, "aws4_request")
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, "\n".join((ALGORITHM, timestamp, "/".join(scope), hashed)).encode(), "sha256").hex()


def _query(query: str) -> str:
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&")) if query else []
    return "&".join(f"{name}={value}" for name, value in pairs)
