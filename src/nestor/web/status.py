"""Whether the server answers, what it counted, and who logs in."""

import orjson
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from nestor.domain import FULL_DIMENSION
from nestor.refusals import Refused
from nestor.web import bodies, shapes
from nestor.web.context import Context, context
from nestor.web.guard import own_path
from nestor.web.tokens import COOKIE

router = APIRouter(tags=["server"])
home = APIRouter(tags=["server"])
"""Of a server that counts and lets in by itself; on AWS that is CloudWatch's and the API's."""

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_NOBODY = "0" * 24


@router.get("/health", responses={200: {"model": shapes.Health}, **shapes.refusals()})
async def health(request: Request) -> Response:
    """Say that the server answers and reads its manifests and its indexes."""
    import asyncio

    # Not in the queue: a busy server is alive.
    await asyncio.to_thread(_look, context(request))
    return Response(orjson.dumps({"status": "ok"}), media_type="application/json")


@home.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **shapes.refusals()},
)
async def metrics(request: Request) -> Response:
    """Tell what was counted, as Prometheus reads it."""
    return Response(context(request).nestor.metrics.text(), headers={"content-type": _TEXT})


@home.get("/login", include_in_schema=False)
async def login_page(request: Request) -> Response:
    """Let a browser in by a link, or show where to type the token."""
    asked = request.query_params
    if "token" in asked or context(request).options.tokens is None:
        return _let_in(request, asked.get("token", ""), asked.get("next", ""))
    return _page(request, asked.get("next", ""), wrong=False)


@home.post("/login", include_in_schema=False)
async def login(request: Request) -> Response:
    """Let a browser in by the form."""
    from urllib.parse import parse_qs

    limits = context(request).limits
    body = b"".join([chunk async for chunk in bodies.chunks(request, most=limits.body_bytes, idle=limits.idle_seconds)])
    fields = parse_qs(body.decode("utf-8", "replace"))
    return _let_in(request, fields.get("token", [""])[0], fields.get("next", [""])[0])


@home.post("/logout", include_in_schema=False)
async def logout(request: Request) -> Response:  # noqa: ARG001 - as the framework calls it
    """Forget who this browser is."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _look(here: Context) -> None:
    here.nestor.manifests.get(_NOBODY)
    here.nestor.vectors.embedder(FULL_DIMENSION)


def _let_in(request: Request, token: str, wanted: str) -> Response:
    tokens = context(request).options.tokens
    response = RedirectResponse(own_path(wanted), 303)
    if tokens is None:
        return response
    if not tokens.admits(token):
        return _page(request, wanted, wrong=True)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, tokens.cookie(token), httponly=True, samesite="strict", secure=secure)
    return response


def _page(request: Request, wanted: str, *, wrong: bool) -> Response:
    page = getattr(request.app.state, "login_page", None)
    if page is not None:
        shown: Response = page(request, own_path(wanted), wrong=wrong)
        return shown
    if wrong:
        raise Refused(401, "Unauthorized", "That is no token of this server.")
    raise Refused(404, "NotFound", "Send the token as `Authorization: Bearer TOKEN`.")
