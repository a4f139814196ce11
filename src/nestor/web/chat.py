"""POST /chat."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from fastapi import APIRouter, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from nestor.answer import Asked, asked
from nestor.chat import Conversation, Done, Event, Turn, document
from nestor.chat.events import name
from nestor.chat.limits import QUESTION_CHARACTERS, REMEMBERED_CHARACTERS, TURNS
from nestor.domain import Span
from nestor.errors import InvalidInput
from nestor.moments import Moment
from nestor.web import bodies, events, refusing, requests, shapes
from nestor.web.context import Context, context

router = APIRouter(tags=["chat"])

Flow: TypeAlias = AsyncGenerator[tuple[str, dict[str, Any]] | None, None]
"""Each event's name and document; None where nothing came for a while."""

_SEARCH = frozenset({"dimension", "top_k", "k", "strategy", "filter", "collection"})
_MEMBERS = _SEARCH | {"question", "conversation", "stream"}
_TURNS = TypeAdapter(list[shapes.ChatTurn])
_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question of a chat and how it is to be answered."""

    question: str
    way: Asked
    conversation: Conversation
    stream: bool | None
    """None where the body does not say."""


@router.post(
    "/chat",
    responses={
        200: {"model": shapes.ChatAnswer, "content": {_STREAM: shapes.CHAT_EVENTS}},
        **shapes.refusals(408, 413, 415),
    },
    openapi_extra=requests.CHAT_BODY,
)
async def chat(request: Request) -> Response:
    """Answer a question from what is stored, each claim with its place.

    Events as they come: `retrieved`, `text` (many), `citations`, `done`; `error` where it fails in between. One JSON
    document with `"stream": false`, or where only JSON is accepted.
    """
    here, limits = context(request), context(request).limits
    given = await bodies.json_object(request, most=limits.body_bytes, idle=limits.idle_seconds)
    wanted = read(given)
    flow = here.flows.of(_answered(here, wanted))
    if not (here.options.streams and _streams(request, wanted)):
        return Response(orjson.dumps(await _whole(flow)), media_type="application/json")
    try:
        first = await _first(flow)
        return events.stream(here, _sent(request, first, flow))
    except BaseException:
        await flow.aclose()
        raise


def read(given: Mapping[str, Any]) -> Wanted:
    """Return what a document asks for. Raises InvalidInput naming the member that is unknown or makes no sense."""
    if unknown := sorted(map(str, given.keys() - _MEMBERS)):
        raise InvalidInput(f"{unknown[0][:80]!r} is unknown; known are {', '.join(sorted(_MEMBERS))}.")
    question, stream = given.get("question", ""), given.get("stream")
    if not isinstance(question, str):
        raise InvalidInput(f"question is {str(question)[:80]!r}; it must be a text.")
    if not isinstance(stream, bool | None):
        raise InvalidInput(f"stream is {str(stream)[:80]!r}; it must be true or false.")
    usual = {} if given.get("k") is not None else {"top_k": requests.CHAT_TOP_K}
    told = {member: given[member] for member in given.keys() & _SEARCH if given[member] is not None}
    return Wanted(question, asked(usual | told), _conversation(given.get("conversation")), stream)


def _conversation(given: Any) -> Conversation:
    if given is None:
        return Conversation()
    try:
        turns = _TURNS.validate_python(given, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, ("conversation", *first["loc"])))
        raise InvalidInput(f"{place}: {first['msg']}.") from error
    if len(turns) > TURNS:
        raise InvalidInput(f"conversation has {len(turns):,} turns; send the last {TURNS} at most.")
    return Conversation(_turn(each) for each in turns)


def _turn(given: shapes.ChatTurn) -> Turn:
    moments = tuple(
        Moment(
            key=f"{each.object_id}_segment_{each.segment}",
            object_id=each.object_id,
            segment=each.segment,
            uri="",
            file=each.file,
            modality="",
            span=Span(),
            text="",
        )
        for each in given.passages
    )
    return Turn(given.question, given.query or given.question, given.answer[:REMEMBERED_CHARACTERS], moments)


def _answered(here: Context, wanted: Wanted) -> Generator[tuple[str, dict[str, Any]], None, None]:
    conversation, way = wanted.conversation, wanted.way
    before = conversation.last
    for event in here.nestor.chat.ask(
        conversation,
        wanted.question,
        strategy=way.strategy,
        dimension=way.dimension,
        top_k=way.top_k,
        where=way.where,
    ):
        kept = conversation.last if conversation.last is not before else None
        yield name(event), _document(event, kept)


def _document(event: Event, kept: Turn | None) -> dict[str, Any]:
    if not isinstance(event, Done):
        return document(event)
    return {**document(event), "turn": None if kept is None else _turn_document(kept)}


def _turn_document(turn: Turn) -> dict[str, Any]:
    return {
        "question": turn.question,
        "query": turn.query[:QUESTION_CHARACTERS],
        "answer": turn.answer,
        "passages": [
            {"object_id": each.object_id, "segment": each.segment, "file": each.file[: shapes.FILE_CHARACTERS]}
            for each in turn.moments
        ],
    }


def _streams(request: Request, wanted: Wanted) -> bool:
    if wanted.stream is not None:
        return wanted.stream
    accepted = request.headers.get("accept", "")
    return "application/json" not in accepted or _STREAM in accepted


async def _first(flow: Flow) -> tuple[str, dict[str, Any]]:
    """Return the first event, so that what fails before it has a status of its own."""
    while (event := await anext(flow)) is None:
        pass
    return event


async def _whole(flow: Flow) -> dict[str, Any]:
    whole: dict[str, Any] = {"answer": ""}
    async with aclosing(flow) as given:
        async for each in given:
            match each:
                case ("text", piece):
                    whole["answer"] += piece["text"]
                case ("citations", cited):
                    whole["citations"] = {member: value for member, value in cited.items() if member != "event"}
                case (_, told):
                    whole |= {member: value for member, value in told.items() if member != "event"}
    return whole


async def _sent(request: Request, first: tuple[str, dict[str, Any]], flow: Flow) -> AsyncIterator[bytes]:
    try:
        yield events.event(*first)
        async for each in flow:
            yield events.ALIVE if each is None else events.event(*each)
    except Exception as error:  # noqa: BLE001  # the status is sent already: all that can be told is an event
        yield events.event("error", refusing.document(request, refusing.heard(request, error)))
    finally:
        await flow.aclose()
