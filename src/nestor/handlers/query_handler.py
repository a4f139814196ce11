"""`query_handler`: answers POST /query."""

from typing import Any

from nestor import functions
from nestor.errors import InvalidInput, NestorError
from nestor.handlers import _http
from nestor.handlers._questions import QuestionMetrics
from nestor.handlers._runtime import Event, Tools, entry
from nestor.refusals import refusal
from nestor.settings.functions import QuerySettings


@entry("query_handler")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Return hits, or {"error": {"code", "message", "id"}}; the event is an API's, or the question itself."""
    try:
        document = _answered(event, tools)
    except Exception as error:  # noqa: BLE001  # the entry point: every failure is an answer, and none tells its detail
        refused = refusal(error)
        if refused.status < 429:
            # The caller's own mistake, whose words may be the question: they are told to nobody else.
            tools.log("refused", status=refused.status, code=refused.code)
        else:
            tools.failed(error)
        tools.count(f"Status{refused.status}")
        return _http.error_response(event, refused, request_id=tools.request_id)
    tools.count("Status200")
    return _http.response(event, 200, document)


def _answered(event: Event, tools: Tools) -> dict[str, Any]:
    from nestor import answer

    asked = answer.asked(_http.question(event))
    settings, metrics = _settings(), QuestionMetrics(tools)
    shadows = functions.shadows(settings, tools.clients, metrics=metrics)
    answers = functions.answers(settings, tools.clients, metrics=metrics, shadows=shadows)
    try:
        answered = answers.answer(asked)
    finally:
        if shadows is not None:
            shadows.settle()
    found = answered.found
    tools.log(
        "answered",
        strategy=found.strategy,
        dimension=found.dimension,
        hits=len(found.hits),
        requests=found.spent.requests,
        took_ms=found.took_ms,
    )
    return answer.document(asked, answered)


def _settings() -> QuerySettings:
    try:
        return QuerySettings.from_environment()
    except InvalidInput as error:
        raise NestorError(str(error)) from error  # not the caller's input
