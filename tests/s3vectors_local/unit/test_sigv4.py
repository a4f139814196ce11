"""Our verification against the signatures of botocore, then with each part altered."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from s3vectors_local import errors, sigv4
from s3vectors_local.sigv4 import Signed

HOST = "127.0.0.1:8765"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105 - AWS's published example
ARN = "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo/index/a.b-c"


def _signed(
    method: str = "POST", path: str = "/QueryVectors", query: str = "", body: bytes = b"{}", **headers: str
) -> Signed:
    """Sign with botocore, and give what comes over the wire."""
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    given_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json", **given_headers})
    SigV4Auth(Credentials("AKID", SECRET, "token"), "s3vectors", "us-east-1").add_auth(request)
    sent = [(name.lower(), value) for name, value in request.headers.items()]
    parts = urlsplit(request.url)
    return Signed(method, parts.path, parts.query, [("host", HOST), *sent], body)


def _time(request: Signed) -> datetime | None:
    """Return when it was signed: these tests may run long after they were collected."""
    try:
        return datetime.strptime(request.header("x-amz-date") or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _verify(request: Signed, *, secret: str = SECRET, region: str = "us-east-1", **more: Any) -> None:
    claim = sigv4.authorization(request)
    more = {"now": _time(request)} | more
    sigv4.verify(request, claim, secret=secret, region=region, service=more.pop("service", "s3vectors"), **more)


@pytest.mark.parametrize(
    "request_",
    [
        _signed(),
        _signed(body=b""),
        _signed(body=b"x" * 70_000),
        _signed("GET", f"/tags/{quote(ARN, safe='')}", body=b""),
        _signed("GET", f"/tags/{ARN}", body=b""),
        _signed("POST", f"/tags/{quote(ARN, safe='~')}", body=b'{"tags":{"a":"b"}}'),
        _signed("DELETE", f"/tags/{quote(ARN, safe='')}", "tagKeys=b&tagKeys=a%20%2B%2F%26%3D&tagKeys=~%C3%A4", b""),
        _signed("DELETE", "/tags/x", "b=2&a&b=1&B=&a=%7E", b""),
        _signed(X_Odd="  two   spaces ", X_Amz_Content_SHA256=sha256(b"{}").hexdigest()),
    ],
    ids=lambda each: f"{each.method} {each.path[:20]} {each.query}",
)
def test_as_botocore_signs(request_: Signed) -> None:
    """A signature of botocore is good for every kind of path, query, header and body."""
    _verify(request_)


@given(st.text(max_size=20), st.lists(st.text(max_size=8), max_size=4))
def test_any_path_and_query(arn: str, keys: list[str]) -> None:
    """Whatever is percent-encoded into the path and the query."""
    query = "&".join(f"tagKeys={quote(key, safe='-._~')}" for key in keys)
    encoded = quote(arn, safe="")
    if encoded in {".", ".."}:  # clients resolve these, none is an ARN
        return
    _verify(_signed("DELETE", f"/tags/x{encoded}", query, b""))


def _header(request: Signed, name: str, change: Callable[[str], str | None]) -> Signed:
    headers = [(each, change(value) if each == name else value) for each, value in request.headers]
    return replace(request, headers=[(each, value) for each, value in headers if value is not None])


INVALID, INCOMPLETE = errors.InvalidSignatureException, errors.IncompleteSignatureException
TAMPERED: dict[str, tuple[Callable[[Signed], Signed], type[errors.ServiceError], str]] = {
    "method": (lambda r: replace(r, method="GET"), INVALID, "does not match"),
    "path": (lambda r: replace(r, path="/ListVectors"), INVALID, "does not match"),
    "encoding": (lambda r: replace(r, path=r.path.replace("Q", "%51")), INVALID, "does not match"),
    "query": (lambda r: replace(r, query="a=1"), INVALID, "does not match"),
    "body": (lambda r: replace(r, body=b"{ }"), INVALID, "does not match"),
    "host": (lambda r: _header(r, "host", lambda _: "elsewhere"), INVALID, "does not match"),
    "type": (lambda r: _header(r, "content-type", lambda _: "text/plain"), INVALID, "does not match"),
    "twice": (lambda r: replace(r, headers=[*r.headers, ("host", "b")]), INVALID, "does not match"),
    "signature": (
        lambda r: _header(r, "authorization", lambda v: v[:-1] + ("0" if v[-1] != "0" else "1")),
        INVALID,
        "does not match",
    ),
    "gone header": (lambda r: _header(r, "content-type", lambda _: None), INVALID, "does not match"),
    "content hash": (
        lambda _: _signed(X_Amz_Content_SHA256="0" * 64),
        INVALID,
        "not the SHA-256 of the body",
    ),
    "unsigned payload": (
        lambda _: _signed(X_Amz_Content_SHA256="UNSIGNED-PAYLOAD"),
        INVALID,
        "not the SHA-256 of the body",
    ),
    "unsigned hash": (
        lambda r: replace(r, headers=[*r.headers, ("x-amz-content-sha256", "0" * 64)]),
        INCOMPLETE,
        "x-amz-content-sha256 must be signed",
    ),
    "host unsigned": (
        lambda r: _header(r, "authorization", lambda v: v.replace(";host", "")),
        INCOMPLETE,
        "host must be signed",
    ),
    "date unsigned": (
        lambda r: _header(r, "authorization", lambda v: v.replace(";x-amz-date", "")),
        INCOMPLETE,
        "x-amz-date must be signed",
    ),
    "token unsigned": (
        lambda r: _header(r, "authorization", lambda v: v.replace(";x-amz-security-token", "")),
        INCOMPLETE,
        "x-amz-security-token must be signed",
    ),
    "no date": (lambda r: _header(r, "x-amz-date", lambda _: None), INCOMPLETE, "must have a header x-amz-date"),
    "no host": (lambda r: _header(r, "host", lambda _: None), INCOMPLETE, "must have a header host"),
    "not a date": (lambda r: _header(r, "x-amz-date", lambda _: "now"), INCOMPLETE, "x-amz-date must be of the form"),
    "date of scope": (
        lambda r: _header(r, "authorization", lambda v: v.replace(_scope_date(v), "20200101")),
        INVALID,
        "Date in Credential scope",
    ),
    "region of scope": (
        lambda r: _header(r, "authorization", lambda v: v.replace("us-east-1", "eu-west-1")),
        INVALID,
        "scoped to us-east-1/s3vectors",
    ),
    "service of scope": (
        lambda r: _header(r, "authorization", lambda v: v.replace("/s3vectors/", "/s3/")),
        INVALID,
        "scoped to us-east-1/s3vectors",
    ),
    "algorithm": (
        lambda r: _header(r, "authorization", lambda v: v.replace("SHA256", "SHA512")),
        INCOMPLETE,
        "The Authorization header must be",
    ),
    "upper case": (
        lambda r: _header(r, "authorization", lambda v: v[:-64] + v[-64:].upper() + "A"),
        INCOMPLETE,
        "The Authorization header must be",
    ),
    "two headers": (
        lambda r: replace(r, headers=[*r.headers, ("authorization", r.header("authorization") or "")]),
        INCOMPLETE,
        "The Authorization header must be",
    ),
    "no header": (
        lambda r: _header(r, "authorization", lambda _: None),
        errors.MissingAuthenticationTokenException,
        "Missing Authentication Token",
    ),
}


def _scope_date(value: str) -> str:
    return value.partition("Credential=AKID/")[2][:8]


@pytest.mark.parametrize("part", TAMPERED)
def test_tampered(part: str) -> None:
    """Whatever is altered after signing is told, as what it is."""
    tamper, kind, message = TAMPERED[part]
    with pytest.raises(kind, match=message) as caught:
        _verify(tamper(_signed()))
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value)


def test_other_secret_region_service() -> None:
    """The same request under another secret, or for another region or service, is not signed."""
    for other in ({"secret": SECRET + "x"}, {"region": "eu-west-1"}, {"service": "s3"}):
        with pytest.raises(INVALID):
            _verify(_signed(), **other)


@pytest.mark.parametrize(("minutes", "message"), [(-16, "not yet current"), (16, "expired")])
def test_clock(minutes: int, message: str) -> None:
    """A signature is good for fifteen minutes either way."""
    request, now = _signed(), datetime.now(UTC)
    _verify(request, now=now + timedelta(minutes=minutes * 14 / 16))
    with pytest.raises(INVALID, match=message):
        _verify(request, now=now + timedelta(minutes=minutes))
