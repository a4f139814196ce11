"""The first page: a question, and what it finds by asset."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from nestor.domain import FULL_DIMENSION, Hit
from nestor.errors import InvalidInput
from nestor.search import Found, Question
from nestor.web import bodies, listing, reports
from nestor.web.asking import Received
from nestor.web.context import Context, context
from nestor.web.pages import wishes
from nestor.web.pages.rendering import is_fragment, render
from nestor.web.pages.wishes import Wish

router = APIRouter()

KEPT_FILES = 200
"""Files that asked and can still be asked with: their embedding and name, 12 KB each."""


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of one asset, best first."""

    hits: tuple[Hit, ...]

    @property
    def best(self) -> Hit:
        """The one that the asset is shown by."""
        return self.hits[0]


@dataclass(frozen=True, slots=True)
class FileQuestion:
    """A file that asks."""

    name: str
    question: Question


class FileQuestions:
    """The latest files that asked, by id, so that a filter can change without another upload. Threads may share it."""

    def __init__(self, most: int = KEPT_FILES) -> None:
        """Keep so many."""
        self._most = most
        self._kept: OrderedDict[str, FileQuestion] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, question: FileQuestion) -> str:
        """Return the id under which the file can be asked with, until so many others came."""
        identity = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[identity] = question
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return identity

    def get(self, identity: str) -> FileQuestion | None:
        """Return what asks under the id, None where it is forgotten."""
        with self._lock:
            if identity in self._kept:
                self._kept.move_to_end(identity)
            return self._kept.get(identity)


def questions(request: Request) -> FileQuestions:
    """Return those of this application."""
    state = request.app.state
    if not hasattr(state, "file_questions"):
        state.file_questions = FileQuestions()
    found: FileQuestions = state.file_questions
    return found


@router.get("/")
async def search(request: Request) -> Response:
    """Show the question and what it finds."""
    here = context(request)
    wish = wishes.from_query(request.query_params)
    kept = questions(request).get(wish.file) if wish.file else None
    values: dict[str, Any] = {"wish": wish, "kept": kept, "found": None, "groups": (), "more": None}
    if wish.file and kept is None:
        return render(request, "search.html", await _framed(request, values | {"is_forgotten": True}))
    if not wish.is_asked:
        return render(request, "search.html", await _framed(request, values))
    try:
        answer = await here.run(here.nestor.answers.answer, wish.asked, question=kept.question if kept else None)
    except InvalidInput:
        if not await here.run(is_empty, here):
            raise
        return render(request, "search.html", await _framed(request, values))
    values |= told(wish, answer.found)
    return render(request, "search.html", await _framed(request, values))


@router.post("/ask")
async def ask_by_file(request: Request) -> Response:
    """Take a file as the question and show what it finds."""
    here, limits = context(request), context(request).limits
    with Received() as received:
        fields = await bodies.form(
            request, received, most=limits.question_bytes, beside=limits.body_bytes, files=1, idle=limits.idle_seconds
        )
        wish = wishes.from_form(fields)
        question = await here.read(received.question, here)
        identity = questions(request).keep(FileQuestion(received.name, question))
    return RedirectResponse(replace(wish, words="").address(file=identity), 303)


def is_empty(here: Context) -> bool:
    """Say whether nothing was ever stored, so that no question can be answered."""
    return here.nestor.vectors.embedder(FULL_DIMENSION) is None


def told(wish: Wish, found: Found) -> dict[str, Any]:
    """Return what the page tells of the answer: as many hits as are shown, by asset, and where more are."""
    shown = replace(found, hits=found.hits[: wish.show])
    return {"found": shown, "groups": grouped(shown.hits), "more": wish.more() if len(found.hits) > wish.show else None}


def grouped(hits: Sequence[Hit]) -> list[Group]:
    """Return the hits by asset, the asset of the best hit first."""
    by_asset: dict[object, list[Hit]] = {}
    for hit in hits:
        by_asset.setdefault(hit.metadata.get("object_id"), []).append(hit)
    return [Group(tuple(each)) for each in by_asset.values()]


async def _framed(request: Request, values: dict[str, Any]) -> dict[str, Any]:
    here = context(request)
    return {
        "is_forgotten": False,
        "periods": wishes.PERIODS,
        "strategies": wishes.STRATEGIES,
        "question_bytes": here.limits.question_bytes,
        **({} if is_fragment(request) and values["found"] else await here.run(_shelves, here)),
        **values,
    }


def _shelves(here: Context) -> dict[str, Any]:
    kept = listing.page(here.nestor.manifests, limit=1)
    return {
        "collections": kept.collections,
        "assets": kept.total,
        "can_upload": here.nestor.uploads is not None,
        "has_reports": bool(reports.listed(here.options.reports)),
    }
