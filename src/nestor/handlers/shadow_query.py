"""`shadow_query`: asks sampled questions again, exactly, to know how good the answers are."""

from typing import Any

from nestor import functions
from nestor.errors import NestorError
from nestor.handlers._questions import QuestionMetrics
from nestor.handlers._runtime import Event, Tools, entry
from nestor.settings.functions import ShadowSettings


@entry("shadow_query")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Compare the questions of a queue's messages; those that failed are returned, so that only they come again."""
    from nestor.shadow import shadowed

    shadow = functions.shadow(ShadowSettings.from_environment(), tools.clients)
    metrics = QuestionMetrics(tools)
    failed = []
    for record in event["Records"]:
        try:
            question = shadowed(record["body"])
            recall = shadow.compare(question)
        except NestorError as error:
            tools.failed(error)
            tools.count("ShadowErrors")
            failed.append({"itemIdentifier": record["messageId"]})
            continue
        result = "empty" if recall is None else "compared"
        metrics.shadow(result, strategy=question.strategy, dimension=question.dimension, recall=recall)
        tools.log(result, strategy=question.strategy, dimension=question.dimension, recall=recall)
    return {"batchItemFailures": failed}
