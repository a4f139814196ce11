"""`query_handler`: answers POST /query."""

from typing import Any

from nestor import functions
from nestor.errors import InvalidInput, NestorError
from nestor.handlers import _http
from nestor.handlers._runtime import Event, Tools, entry
from nestor.settings.functions import QuerySettings


@entry("query_handler")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Return hits, or {"error": {"code", "message", "id"}}; the event is an API's, or the question itself."""
    try:
        asked = _http.asked(_http.question(event))
        answers = functions.answers(_settings(), tools.clients)
        answer = answers.answer(asked)
    except Exception as error:  # noqa: BLE001  # the entry point: every failure is an answer, and none tells its detail
        refused = _http.refusal(error)
        if refused.status < 429:
            # The caller's own mistake, whose words may be the question: they are told to nobody else.
            tools.log("refused", status=refused.status, code=refused.code)
        else:
            tools.failed(error)
        tools.count(f"Status{refused.status}")
        return _http.error_response(event, refused, request_id=tools.request_id)
    for stage, milliseconds in answer.found.took_ms.items():
        if stage != "total":
            tools.took(stage.title(), milliseconds)
    tools.count("Hits", len(answer.found.hits))
    tools.count("Status200")
    tools.log("answered", dimension=asked.dimension, hits=len(answer.found.hits), took_ms=answer.found.took_ms)
    return _http.response(event, 200, _http.answered(asked, answer))


def _settings() -> QuerySettings:
    try:
        return QuerySettings.from_environment()
    except InvalidInput as error:
        raise NestorError(str(error)) from error  # not the caller's input
