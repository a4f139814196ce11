"""What surrounds every answer: an id, safe headers, and who may ask at all."""

import secrets
import time
from collections.abc import Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nestor.refusals import Refused
from nestor.web.context import Options
from nestor.web.refusing import answer, log_failure, told, wants_page
from nestor.web.tokens import COOKIE

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN: Final = frozenset({"/health", "/login"})
"""What is there before one has logged in, beside /static/."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # With no-referrer, a browser sends the forms of our own page with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""Of every answer that has none of its own by that name."""


class Frame:
    """Gives each request an id and each answer its headers, and makes an answer of an error that nobody foresaw."""

    def __init__(self, app: ASGIApp, *, options: Options) -> None:
        """Surround the application."""
        self._app = app
        self._log = options.log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message, request_id)
            await send(message)

        try:
            await self._app(scope, receive, framed)
        except ClientDisconnect:
            return
        except Exception as error:
            log_failure(error, request_id=request_id)
            if status:
                raise
            await answer(Request(scope), told(error))(scope, receive, framed)
        if self._log is not None:
            path = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1")
            took = (time.perf_counter() - began) * 1000
            self._log(f"{scope['method']} {path[:200]} {status} {took:.1f} ms {request_id}")


class Guard:
    """Lets in who calls this server by its name, from its own page or none, with a token where one is needed."""

    def __init__(self, app: ASGIApp, *, options: Options) -> None:
        """Guard the application."""
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            origin = self._checked(request)
        except Refused as refused:
            await self._turned_away(request, refused)(scope, receive, send)
            return
        if origin is not None and _is_preflight(request):
            await Response(status_code=204, headers=_preflight(origin))(scope, receive, send)
            return
        await self._app(scope, receive, send if origin is None else _shared(send, origin))

    def _checked(self, request: Request) -> str | None:
        """Return the other page's origin that asks and may. Raises Refused."""
        self._check_host(request.headers)
        origin = self._origin(request)
        if not (origin is not None and _is_preflight(request)):
            self._check_token(request)
        return origin

    def _check_host(self, headers: Headers) -> None:
        # A page of anybody's may have its name resolve to this machine: the name is all that tells it apart.
        hosts = self._options.hosts
        if hosts is not None and _name(headers.get("host", "")) not in hosts:
            raise Refused(421, "WrongHost", "This server is not called by that name: see --allow-host.")

    def _origin(self, request: Request) -> str | None:
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() in self._options.origins:
            return origin
        if request.method in _SAFE:
            return None
        ours = _split(origin).netloc.lower() == request.headers.get("host", "").lower() if origin else True
        if not ours or (origin is None and request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}):
            raise Refused(403, "WrongOrigin", "Another page may not do that here: see --allow-origin.")
        return None

    def _check_token(self, request: Request) -> None:
        tokens = self._options.tokens
        path = request.scope["path"]
        if tokens is None or path in _OPEN or path.startswith("/static/"):
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and tokens.admits(token.strip()):
            return
        if not tokens.admits_cookie(_cookie(request.headers)):
            raise Refused(401, "Unauthorized", "A token is needed: send it as `Authorization: Bearer TOKEN`.")

    def _turned_away(self, request: Request, refused: Refused) -> Response:
        if refused.status != 401 or not wants_page(request):
            return answer(request, refused)
        is_read = request.method == "GET"
        wanted = _split(str(request.url) if is_read else request.headers.get("hx-current-url", ""))
        if request.headers.get("hx-request") == "true":  # for a part of a page: the whole page goes to log in
            return answer(request, refused, {"hx-redirect": _to_login(wanted.path, wanted.query)})
        return RedirectResponse(_to_login(wanted.path, wanted.query), 303) if is_read else answer(request, refused)


def own_path(address: str) -> str:
    """Return the address where it is a path of this server, else the first page: nobody is led elsewhere."""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\")) and not _split(address).netloc
    return address if is_path and address.isprintable() else "/"


def _split(address: str) -> SplitResult:
    """Return the parts of an address that a client names; one that is none, as `http://[`, has none."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _to_login(path: str, query: str) -> str:
    """Return where one logs in, and then goes on to that path."""
    wanted = f"{path}?{query}" if query else path
    return "/login" if wanted in {"", "/"} else f"/login?{urlencode({'next': wanted})}"


def _complete(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["x-request-id"] = request_id
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def _name(host: str) -> str:
    """Return the Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _cookie(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def _preflight(origin: str) -> dict[str, str]:
    return {
        **_sharing(origin),
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "600",
    }


def _sharing(origin: str) -> dict[str, str]:
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "x-request-id, retry-after",
        "cross-origin-resource-policy": "cross-origin",
        "vary": "Origin",
    }


def _shared(send: Send, origin: str) -> Send:
    async def shared(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _sharing(origin).items():
                headers[name] = value
        await send(message)

    return shared
