"""`redrive`: starts again what ended in the queue of dead letters."""

from nestor import functions
from nestor.handlers._runtime import Event, Tools, entry, member
from nestor.settings.functions import RedriveSettings


@entry("redrive")
def handler(event: Event, tools: Tools) -> dict[str, int]:
    """Start what at most `max` (10) letters tell of; return how many were started, and about how many are left."""
    from nestor.pipeline.redrive import redrive

    settings = RedriveSettings.from_environment()
    most = member({"max": 10, **event}, "max", int)
    done = redrive(functions.dead_letters(settings, tools.clients), most=most)
    tools.count("Redriven", done.redriven)
    tools.log("redriven", redriven=done.redriven, left=done.left, unknown=done.unknown)
    return {"redriven": done.redriven, "left": done.left}
