import io
import threading

from s3vectors_local.telemetry import Event, Log, Metrics, sample

EVENT = Event(0.5, "id", "GetIndex", 403, 1.26, 10, 20, "arn:x", "AccessDeniedException")


def test_forms() -> None:
    """A line for eyes, and one for programs."""
    expected = "1970-01-01T00:00:00.500Z 403 GetIndex 1.3ms 10>20 AccessDeniedException arn:x id"
    assert EVENT.as_text() == expected
    assert EVENT.as_json() == (
        '{"time": "1970-01-01T00:00:00.500Z", "request_id": "id", "operation": "GetIndex", "status": 403, "ms": 1.26, '
        '"bytes_in": 10, "bytes_out": 20, "principal": "arn:x", "error": "AccessDeniedException"}'
    )
    assert Event(0, "", "/health", 200, 1, 0, 2).as_text() == "1970-01-01T00:00:00.000Z 200 /health 1.0ms 0>2"


def test_labels_are_escaped() -> None:
    """Whatever a label holds stays in its quotes."""
    assert sample("a", 1, b='"\\\n') == 'a{b="\\"\\\\\\n"} 1'
    assert sample("a", 1.5) == "a 1.5"


def test_bounds_are_inclusive() -> None:
    """A request of exactly a bound is counted in it."""
    metrics = Metrics()
    metrics(Event(0, "", "x", 200, 5.0, 0, 0))
    text = metrics.text(running=0, waiting=0)
    assert 's3vectors_request_duration_seconds_bucket{operation="x",le="0.0025"} 0' in text
    assert 's3vectors_request_duration_seconds_bucket{operation="x",le="0.005"} 1' in text


class Stuck(io.StringIO):
    """A stream that nobody reads."""

    def __init__(self) -> None:
        """Be stuck until told."""
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        """Wait."""
        self.free.wait(20)
        return super().write(text)


def test_log_never_waits() -> None:
    """A reader that does not read holds up nothing: lines are dropped."""
    stream = Stuck()
    log = Log(stream, as_json=False)
    for _ in range(12_000):
        log(EVENT)
    stream.free.set()
    log.close()
    assert 9_000 < stream.getvalue().count("\n") < 11_000


def test_log_survives_its_stream() -> None:
    """A stream that is closed ends the log, and nothing else."""
    stream = io.StringIO()
    log = Log(stream, as_json=False)
    stream.close()
    log(EVENT)
    log._thread.join(5)
    log(EVENT)
    log.close(seconds=0.1)
