"""POST /query and POST /compare."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from nestor.answer import asked, document
from nestor.errors import InvalidInput, UnreadableFile
from nestor.search import Question
from nestor.uploads import safe_name
from nestor.web import bodies, comparing, requests, shapes
from nestor.web.context import Context, context
from nestor.web.limits import QUESTION_CHARACTERS

router = APIRouter(tags=["search"])

_NUMBERS = frozenset({"dimension", "top_k", "k", "coarse", "candidates"})
_JSON = frozenset({"filter", "include_embedding", "dimensions", "strategies"})
_FIELDS = _NUMBERS | _JSON | {"strategy", "collection"}


@router.post(
    "/query",
    responses={200: {"model": shapes.QueryAnswer}, **shapes.refusals(408, 413, 415, 422)},
    openapi_extra=requests.QUERY_BODY,
)
async def query(request: Request) -> Response:
    """Find the segments nearest in meaning to words, or to a file."""
    here = context(request)
    if bodies.is_multipart(request):
        with Received() as received:
            given = await received.form(request)
            wish = comparing.named(asked(given), received.name)
            question = await here.read(received.question, here)
            answer = await here.run(here.nestor.answers.answer, wish, question=question)
    else:
        wish = asked(await _document(request))
        answer = await here.run(here.nestor.answers.answer, wish)
    return _answered(document(wish, answer))


@router.post(
    "/compare",
    responses={200: {"model": shapes.ComparisonAnswer}, **shapes.refusals(408, 413, 415, 422)},
    openapi_extra=requests.COMPARE_BODY,
)
async def compare(request: Request) -> Response:
    """Ask one question at several sizes and by several strategies, and say how far they agree with the exact answer."""
    here = context(request)
    if bodies.is_multipart(request):
        with Received() as received:
            wish, dimensions, strategies = comparing.wanted(await received.form(request))
            wish = comparing.named(wish, received.name)
            question = await here.read(received.question, here)
    else:
        wish, dimensions, strategies = comparing.wanted(await _document(request))
        question = await here.run(here.nestor.search.words, wish.query)
    found = await here.run(comparing.compare, here.nestor, wish, question, dimensions=dimensions, strategies=strategies)
    return _answered(comparing.comparison_document(found))


async def _document(request: Request) -> dict[str, Any]:
    limits = context(request).limits
    given = await bodies.json_object(request, most=limits.body_bytes, idle=limits.idle_seconds)
    words = given.get("query")
    if isinstance(words, str) and len(words) > QUESTION_CHARACTERS:
        raise InvalidInput(f"query has {len(words):,} characters; it may have {QUESTION_CHARACTERS:,}.")
    return given


class Received:
    """The file that asks, in a folder of its own for as long as a `with` lasts."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nestor-question-"))
        self.name = ""
        self._file: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self, name: str) -> None:
        """Begin the file."""
        self.name = safe_name(name)
        self._file = (self._folder / self.name).open("wb")

    def write(self, data: bytes) -> None:
        """Write more of it."""
        self._file.write(data)

    def end(self) -> None:
        """End it."""
        self._file.close()

    async def form(self, request: Request) -> dict[str, Any]:
        """Receive it, and return the fields beside it as the members of a document."""
        limits = context(request).limits
        fields = await bodies.form(
            request, self, most=limits.question_bytes, beside=limits.body_bytes, files=1, idle=limits.idle_seconds
        )
        if not self.name:
            raise InvalidInput("The form holds no file: send the file that asks as `file`.")
        return {name: _value(name, text) for name, text in bodies.only(fields, _FIELDS).items()}

    def question(self, here: Context) -> Question:
        """Return what the file asks. Raises UnreadableFile that names the file as its sender does."""
        path = self._folder / self.name
        try:
            return here.nestor.search.file(path, here.nestor.read_options())
        except UnreadableFile as error:
            raise UnreadableFile(str(error).replace(str(path), self.name), reason=error.reason) from error


def _value(name: str, text: str) -> Any:
    if name in _NUMBERS:
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise InvalidInput(f"{name} is {text[:80]!r}; it must be a whole number.")
        return int(text)
    if name not in _JSON:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{name} is no JSON: {error}.") from error


def _answered(told: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(told), media_type="application/json")
