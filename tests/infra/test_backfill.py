"""The machine that embeds what is there already, as far as moto's interpreter can run it."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from infra.config import Pipeline
from infra.definition import backfill

KEYS = ("a/one.txt", "a/two words & ü.txt", "b/three.txt")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a boto3 session of an account with a source bucket of three objects, and a work bucket."""
    moto = pytest.importorskip("moto", reason="moto is not installed: the dependency group `system`")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    with moto.mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        session = boto3.session.Session(region_name="us-east-1")
        s3 = session.client("s3")
        for bucket in ("source", "work"):
            s3.create_bucket(Bucket=bucket)
        for key in KEYS:
            s3.put_object(Bucket="source", Key=key, Body=b"text")
        yield session


def items(session: Any, *, prefix: str) -> list[dict[str, Any]]:
    """Return what the backfill would start the embedder with.

    A state that returns it stands for the start: moto has no working startExecution.sync:2, and tolerates any failure.
    """
    definition = backfill(Pipeline())
    each = definition["States"]["EachObject"]
    each["ItemProcessor"]["States"] = {"Embed": {"Type": "Pass", "Parameters": {"detail.$": "$.detail"}, "End": True}}
    del each["ResultWriter"]  # it would write the results away
    states = session.client("stepfunctions")
    name = uuid4().hex  # a mock inside another one, of tests in the same process, does not begin empty
    machine = states.create_state_machine(
        name=name,
        definition=json.dumps(definition).replace("${SourceBucket}", "source"),
        roleArn="arn:aws:iam::123456789012:role/any",
    )
    begun = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], name=name, input=json.dumps({"prefix": prefix})
    )
    ends = time.monotonic() + 10
    while (found := states.describe_execution(executionArn=begun["executionArn"]))["status"] == "RUNNING":
        assert time.monotonic() < ends, found
        time.sleep(0.05)
    assert found["status"] == "SUCCEEDED", found
    output: list[dict[str, Any]] = json.loads(found["output"])
    return output


@pytest.mark.parametrize(("prefix", "expected"), [("", KEYS), ("a/", KEYS[:2])], ids=["all", "below a prefix"])
def test_every_object_below_the_prefix_is_an_event(cloud: Any, prefix: str, expected: tuple[str, ...]) -> None:
    """Each of the shape that the embedder reads, its key as it is."""
    found = items(cloud, prefix=prefix)
    assert {each["detail"]["bucket"]["name"] for each in found} == {"source"}
    assert sorted(each["detail"]["object"]["key"] for each in found) == sorted(expected)


def test_the_embedder_is_started_with_that_event() -> None:
    """And waited for; a failure of it is a failure of the item."""
    processor = backfill(Pipeline())["States"]["EachObject"]["ItemProcessor"]
    start = processor["States"]["Embed"]
    assert start["Resource"].endswith(":states:startExecution.sync:2")
    assert start["Parameters"]["StateMachineArn"] == "${Embedder}"
    assert start["Parameters"]["Input"]["detail.$"] == "$.detail"
    (caught,) = start["Catch"]
    assert processor["States"][caught["Next"]]["Type"] == "Fail"
