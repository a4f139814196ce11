"""`forget`: removes what is stored of objects that are gone."""

import json
from typing import Any

from nestor import functions
from nestor.errors import NestorError
from nestor.handlers._runtime import Event, Tools, entry, member, uri_of
from nestor.settings.functions import ForgetSettings


@entry("forget")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Forget the object of {"uri"}, or those that the messages of a queue tell of.

    Of messages those that failed are returned, so that only they come again.
    """
    settings = ForgetSettings.from_environment()
    if "Records" not in event:
        return {"outcome": _forget(member(event, "uri", str), settings, tools)}
    failed = []
    for record in event["Records"]:
        try:
            _forget(uri_of(json.loads(record["body"]), bucket=settings.source_bucket), settings, tools)
        except (NestorError, ValueError) as error:
            tools.failed(error)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _forget(uri: str, settings: ForgetSettings, tools: Tools) -> str:
    outcome = functions.forgetter(settings, tools.clients).forget(uri).value
    tools.count(f"Forget{outcome.title()}")
    tools.log(outcome, uri=uri)
    return outcome
