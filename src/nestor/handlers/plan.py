"""`plan`: looks at one object and says what the state machine has to do for it."""

from typing import Any

from nestor import functions
from nestor.handlers._runtime import Event, Tools, entry, uri_of
from nestor.settings.functions import PlanSettings


@entry("plan")
def handler(event: Event, tools: Tools) -> dict[str, Any]:
    """Return the route and what is needed to take it; the event is EventBridge's, or of its form."""
    from nestor.adapters.nova.requests import client_token
    from nestor.domain import object_id

    settings = PlanSettings.from_environment()
    uri = uri_of(event, bucket=settings.source_bucket)
    again = str(event["detail"].get("redriven", ""))
    planned = functions.planner(settings, tools.clients).look(uri, again=again)
    answer: dict[str, Any] = {"route": planned.route.value, "uri": uri, "object_id": object_id(uri)}
    if (plan := planned.plan) is not None:
        answer |= {"run": plan.run, "plan_key": plan.key}
        if planned.job is None:
            answer["batches"] = [{"first": batch.first, "last": batch.last} for batch in plan.batches]
        else:
            answer |= {
                "token": client_token(plan.object_id, plan.run),
                "model_id": settings.model_id,
                "model_input": dict(planned.job.input),
                "output_uri": planned.job.output_uri,
            }
        tools.count("SegmentsPlanned", plan.manifest.segments)
    if planned.reason:
        answer |= {"reason": planned.reason, "message": planned.message}
    tools.count(f"Route{planned.route.value.title()}")
    tools.log("planned", uri=uri, route=planned.route.value, reason=planned.reason)
    return answer
