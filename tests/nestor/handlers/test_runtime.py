import json
import subprocess
import sys

import pytest

from nestor.errors import InvalidInput, NestorError, ObjectsError

pytest.importorskip("aws_lambda_powertools", reason="aws-lambda-powertools is not installed")

from nestor.handlers._runtime import Event, Retryable, Tools, entry, uri_of
from nestor.settings.functions import RedriveSettings

EVENT = {"detail": {"bucket": {"name": "source"}, "object": {"key": "a b+c%20/ü.txt"}}}


def test_uri() -> None:
    """The key is taken as it is: EventBridge does not quote it."""
    assert uri_of(EVENT, bucket="source") == "s3://source/a b+c%20/ü.txt"


@pytest.mark.parametrize("event", [{}, {"detail": {}}, {"detail": {"bucket": "x", "object": "y"}}], ids=str)
def test_no_object(event: Event) -> None:
    """An event of another form is refused with the form it must have."""
    with pytest.raises(InvalidInput, match="tells of no object"):
        uri_of(event, bucket="source")


@pytest.mark.parametrize("key", [None, "", 5, {"a": 1}], ids=repr)
def test_no_key(key: object) -> None:
    """A key that is no text is not made one: nothing is looked up, or forgotten, under its words."""
    with pytest.raises(InvalidInput, match="of the key"):
        uri_of({"detail": {"bucket": {"name": "source"}, "object": {"key": key}}}, bucket="source")


@pytest.mark.parametrize("most", ["abc", None, True, 0], ids=repr)
def test_redriving_no_number(monkeypatch: pytest.MonkeyPatch, most: object) -> None:
    """What is no number of letters is refused as such, before anything is taken."""
    from nestor.handlers import redrive

    for name in RedriveSettings.VARIABLES:
        monkeypatch.setenv(name, "https://sqs.invalid/queue")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(InvalidInput, match="max is"):
        redrive.handler({"max": most}, None)


def test_another_bucket() -> None:
    """An event of another bucket is refused, not looked up in ours."""
    with pytest.raises(InvalidInput, match="'source'"):
        uri_of(EVENT, bucket="mine")


def _raising(error: Exception) -> None:
    @entry("test")
    def handler(event: Event, tools: Tools) -> None:
        raise error

    handler({}, None)


def test_retryable() -> None:
    """An error that may pass leaves under the name that the state machine tries again, with its cause."""
    with pytest.raises(Retryable, match="ObjectsError: slow down") as raised:
        _raising(ObjectsError("slow down", code="SlowDown", retryable=True))
    assert isinstance(raised.value.__cause__, ObjectsError)
    assert Retryable.__name__ == "Retryable"


@pytest.mark.parametrize("error", [InvalidInput("no"), NestorError("no"), KeyError("no")], ids=repr)
def test_own_name(error: Exception) -> None:
    """Any other error leaves under its own name."""
    with pytest.raises(type(error)) as raised:
        _raising(error)
    assert raised.value is error


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Each call ends with one document of metrics, failed ones too."""
    with pytest.raises(InvalidInput):
        _raising(InvalidInput("no"))
    (metrics,) = (json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    assert metrics["Errors"] == [1.0]
    assert metrics["function"] == "test"
    assert "TotalLatency" in metrics


@pytest.mark.parametrize(
    "name", ["plan", "embed_sync", "store_embeddings", "query_handler", "forget", "redrive", "shadow_query"]
)
def test_import_needs_nothing(name: str) -> None:
    """Every function can be imported with an empty environment, without what is heavy."""
    code = (
        f"import sys, nestor.handlers.{name} as m; assert callable(m.handler);"
        "print(sorted(set(sys.modules) & {'numpy', 'boto3', 'av', 'PIL', 's3vectors_local'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
