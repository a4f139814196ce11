"""Templates to responses."""

import functools
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

import nestor
from nestor.web.pages import wording

STATIC = Path(__file__).parents[1] / "static"
THEME = "theme"
"""Name of the cookie that keeps the choice of light or dark; absent where the system decides."""
THEMES = ("light", "dark")
_FILTERS = (
    wording.size,
    wording.clock,
    wording.date,
    wording.moment,
    wording.count,
    wording.reason,
    wording.kind,
    wording.place,
    wording.viewer,
    wording.has_picture,
    wording.displayed,
    wording.snippet,
    wording.marked,
    wording.coded,
    wording.similarity,
    wording.share,
)

# Some systems know no type for it, and `nosniff` then forbids the picture.
mimetypes.add_type("image/svg+xml", ".svg")


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("nestor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=wording.unturned,
    )
    made.filters |= {each.__name__: each for each in _FILTERS}
    made.globals["version"] = nestor.__version__
    return made


def is_fragment(request: Request) -> bool:
    """Say whether the script on the page asks, which needs only the part that changes."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"


def render(
    request: Request, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200
) -> HTMLResponse:
    """Return the page, or its fragment `parts/<template>` to the script where there is one of that name."""
    names = [f"parts/{template}"] if is_fragment(request) else []
    return _response(request, [*names, template], values or {}, status)


def html(template: str, values: Mapping[str, Any]) -> str:
    """Return a fragment as text."""
    return _environment().get_template(f"parts/{template}").render(values)


def _response(request: Request, names: list[str], values: Mapping[str, Any], status: int) -> HTMLResponse:
    theme = request.cookies.get(THEME, "")
    frame = {
        "path": request.url.path,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "theme": theme if theme in THEMES else "",
    }
    text = _environment().select_template(names).render(frame | dict(values))
    # One address answers with a page or its part: a cache must not take one for the other.
    headers = {"vary": "HX-Request, Cookie", "cache-control": "no-store"}
    return HTMLResponse(text, status_code=status, headers=headers)
