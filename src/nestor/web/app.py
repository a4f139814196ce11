"""The application: routes, and what surrounds them."""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles

import nestor as package
from nestor.web import asking, assets, chat, media, refusing, status
from nestor.web.context import Context, Options, Parts
from nestor.web.guard import Frame, Guard

STATIC = Path(__file__).with_name("static")

_DESCRIPTION = """\
Finds moments in text, documents, images, audio and video by meaning.

Every error has one shape: `{"error": {"code", "message", "id"}}`; the id is also in the header `x-request-id`. Unknown
members are refused. `x-limits` beside this text holds every limit.
"""


HOME = (assets.home, media.home, status.home)
"""Routes of files on this machine, and of a server of one's own."""


def create(nestor: Parts, *, options: Options | None = None, files: Sequence[APIRouter] = HOME) -> FastAPI:
    """Return the application over these parts, which it does not close; `files` are the routes of their files.

    It begins to work on uploads when it starts, and gives what is being stored ten seconds when it ends.
    """
    options = options or Options()
    here = Context(nestor, options)
    app = FastAPI(
        title="Nestor",
        version=package.__version__,
        description=_DESCRIPTION,
        docs_url=None,  # their pages come from other people's servers
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.context = here
    refusing.add_handlers(app)
    app.state.routers = [asking.router, chat.router, assets.router, media.router, status.router, *files]
    for router in app.state.routers:
        app.include_router(router)
    if options.page:
        _add_page(app)
    app.add_middleware(Guard, options=options)
    app.add_middleware(Frame, options=options)  # the last one added is the outermost
    _tell_limits(app, here)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    from starlette.concurrency import run_in_threadpool

    here: Context = app.state.context
    await run_in_threadpool(here.open)
    yield
    here.close()
    if here.nestor.uploads is not None:
        await run_in_threadpool(here.nestor.uploads.close)


def _add_page(app: FastAPI) -> None:
    pages = import_module("nestor.web.pages")
    app.include_router(pages.router, include_in_schema=False)
    app.state.routers.append(pages.router)
    app.state.error_page = pages.error_page
    app.state.login_page = pages.login_page
    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def _tell_limits(app: FastAPI, here: Context) -> None:
    usual = app.openapi

    def openapi() -> dict[str, Any]:
        document = usual()
        document["info"]["x-limits"] = dataclasses.asdict(here.limits)
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None) if _is_framework_s(operation) else None
        return document

    app.openapi = openapi  # type: ignore[method-assign] # as the framework's own documentation does


def _is_framework_s(operation: dict[str, Any]) -> bool:
    """Say whether a 422 is the one that the framework adds by itself, and that never comes: ours is a 400."""
    told = operation["responses"].get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return str(told.get("$ref", "")).endswith("HTTPValidationError")
