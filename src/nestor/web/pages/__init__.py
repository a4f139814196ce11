"""The pages: made on the server, whole without script; htmx only replaces parts of them."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from nestor.refusals import Refused
from nestor.web import bodies
from nestor.web.context import context
from nestor.web.guard import own_path
from nestor.web.pages import about, chatting, reporting, searching, shelves, sizes, viewing
from nestor.web.pages.rendering import THEME, THEMES, render

router = APIRouter()
for each in (searching, chatting, viewing, shelves, sizes, reporting, about):
    router.include_router(each.router)

_YEAR = 365 * 86_400
"""Seconds."""
_TITLES = {401: "Log in first", 403: "Not allowed here", 404: "Nothing here", 413: "Too large", 503: "Busy just now"}


@router.post("/theme")
async def choose_theme(request: Request) -> Response:
    """Keep light, dark, or as the system has it, and go back."""
    limits = context(request).limits
    body = [chunk async for chunk in bodies.chunks(request, most=limits.body_bytes, idle=limits.idle_seconds)]
    fields = parse_qs(b"".join(body).decode("ascii", "replace"))
    theme = fields.get("theme", [""])[0]
    response = RedirectResponse(own_path(fields.get("next", ["/"])[0]), 303)
    if theme in THEMES:
        response.set_cookie(THEME, theme, max_age=_YEAR, httponly=True, samesite="strict")
    else:
        response.delete_cookie(THEME)
    return response


def error_page(request: Request, refused: Refused, request_id: str) -> Response:
    """Return the page, or to the script its part, that tells a person of an error."""
    title = _TITLES.get(refused.status, "That did not work" if refused.status < 500 else "Something went wrong")
    values = {"refused": refused, "request_id": request_id, "title": title}
    return render(request, "error.html", values, status=refused.status)


def login_page(request: Request, wanted: str, *, wrong: bool) -> Response:
    """Return the page that asks for a token, and then leads to the address that was wanted."""
    return render(request, "login.html", {"wrong": wrong, "wanted": wanted}, status=401 if wrong else 200)
