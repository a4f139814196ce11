"""What the server tells of itself: metrics as Prometheus text, one line of log a request.

Neither holds a secret, a vector, metadata or a text of a query: an operation, counts, times, and who asked.
"""

import json
import queue
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, TextIO

_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_REFUSED: Final = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "RequestTimeoutException",
        "TooManyRequestsException",
        "UnrecognizedClientException",
    }
)
_QUEUE: Final = 10_000  # lines


@dataclass(frozen=True, slots=True)
class Event:
    """One request that was answered. `error` is the error's type, `principal` the caller's ARN, where there are any."""

    time: float
    request_id: str
    operation: str
    status: int
    ms: float
    bytes_in: int
    bytes_out: int
    principal: str = ""
    error: str = ""

    def as_json(self) -> str:
        """Format as one JSON object."""
        return json.dumps({**asdict(self), "time": self._stamp(), "ms": round(self.ms, 3)})

    def as_text(self) -> str:
        """Format for eyes."""
        more = "".join(f" {part}" for part in (self.error, self.principal, self.request_id) if part)
        sizes = f"{self.bytes_in}>{self.bytes_out}"
        return f"{self._stamp()} {self.status} {self.operation} {self.ms:.1f}ms {sizes}{more}"

    def _stamp(self) -> str:
        return datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Log:
    """Writes lines from a thread of its own: a reader that does not read holds up nothing, its lines are dropped."""

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        """Start the thread."""
        self._stream = stream
        self._format = Event.as_json if as_json else Event.as_text
        self._lines: queue.Queue[str | None] = queue.Queue(_QUEUE)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Write a line, when there is room."""
        try:
            self._lines.put_nowait(self._format(event))
        except queue.Full:
            return

    def close(self, *, seconds: float = 2.0) -> None:
        """Write what is left, but not for longer than this."""
        try:
            self._lines.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody listens any more
                return


class Metrics:
    """Counts of one server. Used from one event loop."""

    def __init__(self) -> None:
        """Start at zero."""
        self._started = time.time()
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._refused: defaultdict[str, int] = defaultdict(int)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def __call__(self, event: Event) -> None:
        """Count a request."""
        self._requests[event.operation, event.status] += 1
        self._buckets[event.operation][bisect_left(_BOUNDS, event.ms / 1000)] += 1
        self._seconds[event.operation] += event.ms / 1000
        if event.error in _REFUSED:
            self._refused[event.error] += 1

    def text(self, *, running: int, waiting: int, more: Iterable[str] = ()) -> str:
        """Return all of it in the text format of Prometheus, version 0.0.4."""
        requests = [
            sample("s3vectors_requests_total", count, operation=operation, status=str(status))
            for (operation, status), count in sorted(self._requests.items())
        ]
        refused = [
            sample("s3vectors_requests_refused_total", count, reason=reason)
            for reason, count in sorted(self._refused.items())
        ]
        lines = [
            *family("s3vectors_requests_total", "counter", "Requests answered.", requests),
            *family("s3vectors_requests_refused_total", "counter", "Requests that were not let in.", refused),
            *self._durations(),
            *gauge("s3vectors_requests_in_flight", "Requests in the engine.", running),
            *gauge("s3vectors_requests_waiting", "Requests waiting for the engine.", waiting),
            *gauge("process_start_time_seconds", "Start of the process since the Unix epoch.", self._started),
            *more,
        ]
        return "\n".join(lines) + "\n"

    def _durations(self) -> list[str]:
        name, samples = "s3vectors_request_duration_seconds", []
        for operation, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), buckets, strict=True):
                total += count
                samples.append(sample(f"{name}_bucket", total, operation=operation, le=bound))
            samples.append(sample(f"{name}_sum", self._seconds[operation], operation=operation))
            samples.append(sample(f"{name}_count", total, operation=operation))
        return family(name, "histogram", "Time from the head of a request to the end of its answer.", samples)


def gauge(name: str, help_: str, value: float) -> list[str]:
    """Return the lines of a gauge with one value."""
    return family(name, "gauge", help_, [sample(name, value)])


def family(name: str, kind: str, help_: str, samples: Iterable[str]) -> list[str]:
    """Return the lines of a metric."""
    return [f"# HELP {name} {help_}", f"# TYPE {name} {kind}", *samples]


def sample(name: str, value: float, **labels: str) -> str:
    """Return the line of one value."""
    inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{inner}}} {value}" if inner else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


_ESCAPES: Final[Mapping[int, str]] = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
