"""The page of the chat: a conversation, and answers as they come."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from nestor.chat import Event, Passage
from nestor.chat.limits import QUESTION_CHARACTERS
from nestor.web import bodies, events, listing, refusing
from nestor.web.context import Context, context
from nestor.web.pages import wishes
from nestor.web.pages.rendering import html, render
from nestor.web.pages.talks import COOKIE, Shown, Talk, Talks, pieces
from nestor.web.pages.wishes import Wish

router = APIRouter(prefix="/chat")

EXAMPLES = {
    "bonobos.jpg": "Which apes are hugging each other?",
    "nasa.mp4": "Who inspects the large gold mirror of a space telescope?",
}
"""Offered where that file of the samples is stored."""


def talks(request: Request) -> Talks:
    """Return the conversations of this application."""
    state = request.app.state
    if not hasattr(state, "talks"):
        state.talks = Talks()
    found: Talks = state.talks
    return found


@router.get("")
async def chat(request: Request) -> Response:
    """Show the conversation so far, and where to ask."""
    here = context(request)
    talk = talks(request).get(request.cookies.get(COOKIE, ""))
    wish = wishes.from_query(request.query_params)
    return render(request, "chat.html", await here.run(_shown, here, talk, wish))


@router.post("/ask")
async def ask(request: Request) -> Response:
    """Answer: to the script as events, each a part of the page; to a form, when the answer is whole, by the page."""
    here, limits = context(request), context(request).limits
    fields = await bodies.fields(request, most=limits.body_bytes, idle=limits.idle_seconds)
    wish = wishes.from_form(fields)
    name = request.cookies.get(COOKIE, "")
    talk = talks(request).get(name)
    if talk is None:
        name, talk = talks(request).begin()
    answering = await here.run(getattr, here.nestor, "chat")  # which may be made only now
    flow = here.flows.of(talk.ask(answering, wish, told=refusing.told))
    if request.headers.get("accept", "") == "text/event-stream":
        return _named(request, await _streamed(request, flow), name)
    await _finished(request, flow)
    return _named(request, RedirectResponse("/chat?" + urlencode(wish.options) + "#latest", 303), name)


@router.post("/new")
async def begin_again(request: Request) -> Response:
    """Forget the conversation."""
    talks(request).end(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/chat", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


Flow = AsyncGenerator[tuple[Shown, Event] | None, None]


async def _finished(request: Request, flow: Flow) -> None:
    """Wait for the end of the answer. Raises what fails before there is a turn to tell of it."""
    turn = None
    try:
        async with aclosing(flow) as answered:
            async for each in answered:
                turn = each or turn
    except Exception as error:
        if turn is None:
            raise
        refusing.heard(request, error)


async def _streamed(request: Request, flow: Flow) -> Response:
    try:
        while (first := await anext(flow)) is None:
            pass
        return events.stream(context(request), _parts(request, first, flow))
    except BaseException:
        await flow.aclose()
        raise


async def _parts(request: Request, first: tuple[Shown, Event], flow: Flow) -> AsyncIterator[bytes]:
    turn, _ = first
    sent = 0
    try:
        yield events.event("found", {"count": len(turn.passages)})
        async for each in flow:
            if piece := turn.text[sent:]:
                sent += len(piece)
                yield events.event("piece", {"html": _piece(piece, turn)})
            elif each is None:
                yield events.ALIVE
        yield events.event("end", {"html": _end(turn)})
    except Exception as error:  # noqa: BLE001  # the status is sent already: the rest of the page tells of it
        turn.refused = refusing.heard(request, error)
        yield events.event("end", {"html": _end(turn)})
    finally:
        await flow.aclose()


def _piece(text: str, turn: Shown) -> str:
    return html("chat_answer.html", {"pieces": list(pieces(text, turn.passages))})


def _end(turn: Shown) -> str:
    return html("chat_end.html", {"turn": turn, "metadata_of": metadata_of})


def _named(request: Request, response: Response, name: str) -> Response:
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, name, httponly=True, samesite="strict", secure=secure)
    return response


def _shown(here: Context, talk: Talk | None, wish: Wish) -> dict[str, Any]:
    model = here.nestor.chat.model
    turns = () if talk is None else talk.turns
    stored = listing.page(here.nestor.manifests, limit=1)
    names = set() if turns else {manifest.file_name for manifest in here.nestor.manifests.all()}
    return {
        "wish": wish,
        "turns": turns,
        "model": model.name if model is not None else "",
        "strategies": wishes.STRATEGIES,
        "collections": stored.collections,
        "assets": stored.total,
        "can_upload": here.nestor.uploads is not None,
        "examples": [question for name, question in EXAMPLES.items() if name in names],
        "most": QUESTION_CHARACTERS,
        "metadata_of": metadata_of,
    }


def metadata_of(passage: Passage) -> Mapping[str, Any]:
    """Return what the cards of a hit are made of."""
    moment = passage.moment
    known = {"page": moment.page, "start_seconds": moment.span.start_seconds, "end_seconds": moment.span.end_seconds}
    is_pdf = moment.modality == "document" and moment.uri.lower().endswith(".pdf")
    return {
        "object_id": moment.object_id,
        "segment_index": moment.segment,
        "modality": moment.modality,
        "content_type": "application/pdf" if is_pdf else "",
        **{name: value for name, value in known.items() if value is not None},
    }
