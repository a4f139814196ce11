"""What every function does around its one call: clients kept warm, a log line, counts, errors by name."""

import functools
import os
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from nestor.errors import InvalidInput, NestorError
from nestor.functions import Clients

T = TypeVar("T")
Event = Mapping[str, Any]


class Retryable(Exception):
    """Trying again later may succeed: the state machine does, by this name."""


class Tools:
    """What a function is given beside its event."""

    def __init__(self, name: str, context: Any) -> None:
        """Log and count under this name."""
        self.name = name
        self.clients = _clients(name)
        self.request_id = str(getattr(context, "aws_request_id", "") or "local")
        self._log = _logger()
        self._metrics = EphemeralMetrics(
            namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Nestor"),
            service=os.environ.get("POWERTOOLS_SERVICE_NAME", "nestor"),
        )
        self._metrics.add_dimension(name="function", value=name)

    def log(self, message: str, **about: Any) -> None:
        """Write a line. Never about a text, a vector or a secret: addresses, numbers and words of our own only."""
        self._log.info(message, function=self.name, request_id=self.request_id, **about)

    def failed(self, error: BaseException) -> None:
        """Write a line about an error and count it; what is no error of Nestor may tell anything, so only its place."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        told = str(error)[:500] if isinstance(error, NestorError) else ""
        self._log.error(
            "failed",
            function=self.name,
            request_id=self.request_id,
            error=type(error).__name__,
            told=told,
            place=place,
        )
        self.count("Errors")

    def count(self, metric: str, number: float = 1) -> None:
        """Count something."""
        self._metrics.add_metric(name=metric, unit=MetricUnit.Count, value=number)

    def took(self, stage: str, milliseconds: float) -> None:
        """Measure how long a stage took."""
        self._metrics.add_metric(name=f"{stage}Latency", unit=MetricUnit.Milliseconds, value=milliseconds)

    def also(self, **dimensions: str) -> None:
        """Publish what is counted for these dimensions as well, beside the function."""
        self._metrics.add_dimensions(**dimensions)

    def measure(self, metric: str, value: float, **dimensions: str) -> None:
        """Publish one value for these dimensions alone."""
        alone = EphemeralMetrics(namespace=self._metrics.namespace)
        alone.service = ""  # else it would come from the environment, as a dimension more
        for name, of in dimensions.items():
            alone.add_dimension(name=name, value=of)
        alone.add_metric(name=metric, unit=MetricUnit.NoUnit, value=value)
        alone.flush_metrics()

    def publish(self) -> None:
        """Write what was counted, as CloudWatch reads it from a log."""
        self._metrics.flush_metrics()


def entry(name: str) -> Callable[[Callable[[Event, Tools], T]], Callable[[Event, Any], T]]:
    """Make a function of `(event, tools)` the entry point of the function of that name.

    An error that another try may not meet again leaves it as Retryable, any other under its own name.
    """

    def decorate(work: Callable[[Event, Tools], T]) -> Callable[[Event, Any], T]:
        @functools.wraps(work)
        def handler(event: Event, context: Any) -> T:
            tools = Tools(name, context)
            started = time.perf_counter()
            try:
                return work(event, tools)
            except NestorError as error:
                tools.failed(error)
                if error.retryable:
                    raise Retryable(f"{type(error).__name__}: {error}") from error
                raise
            finally:
                tools.took("Total", (time.perf_counter() - started) * 1000)
                tools.publish()

        return handler

    return decorate


def uri_of(event: Event, *, bucket: str) -> str:
    """Return the address of the object that an event of EventBridge tells of. Raises InvalidInput for another bucket's.

    Its keys are as they are, unlike in events that S3 sends by itself, which quote them.
    """
    try:
        told, key = event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
    except (KeyError, TypeError) as error:
        raise InvalidInput(
            'The event tells of no object: it must hold {"detail": {"bucket": {"name": ...}, "object": {"key": ...}}}.'
        ) from error
    if not isinstance(key, str) or not key:
        raise InvalidInput(f"The event tells of an object of the key {key!r}; it must be a text of 1 to 1,024 bytes.")
    if told != bucket:
        raise InvalidInput(f"The event tells of the bucket {told!r}, and this function reads {bucket!r}.")
    return f"s3://{bucket}/{key}"


def member(event: Event, name: str, kind: type[T]) -> T:
    """Return a member that the event must have. Raises InvalidInput."""
    value = event.get(name)
    if type(value) is not kind:
        raise InvalidInput(f"The event's {name} is {value!r}; it must be a {kind.__name__}.")
    return value


def forget_clients() -> None:
    """Let go of the clients of every function, as when it starts anew."""
    _clients.cache_clear()


@functools.cache
def _clients(name: str) -> Clients:  # noqa: ARG001  # one process may run several functions, each with its own role
    return Clients()


@functools.cache
def _logger() -> Logger:
    return Logger()
