"""The settings, as they are; nothing is changed here."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from nestor import media
from nestor.domain import DIMENSIONS
from nestor.web.context import Context, context
from nestor.web.pages.rendering import render

router = APIRouter()

_PACKAGES = ("boto3", "numpy", "numkong", "fastapi", "uvicorn", "onnxruntime", "av", "pillow", "pypdfium2")


@router.get("/settings")
async def settings(request: Request) -> Response:
    """Show the settings, what is stored, and versions."""
    here = context(request)
    return render(request, "settings.html", await here.run(_told, here))


def _told(here: Context) -> dict[str, Any]:
    return {
        "counts": here.nestor.library.counts(DIMENSIONS),
        "embedder": here.nestor.embedder.id,
        "shown": here.options.shown,
        "limits": here.limits,
        "versions": [("Python", platform.python_version()), *_versions()],
        "extras": media.extras(),
        "has_tokens": here.options.tokens is not None,
    }


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in _PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found
