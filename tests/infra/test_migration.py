"""The machine that moves a placeholder, as far as moto's interpreter can run it."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from infra.config import Pipeline
from infra.definition import migration

BATCHES = ("migration/run/batches/0.jsonl", "migration/run/batches/1.jsonl")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a boto3 session of an account with a work bucket that holds two batches, and something else."""
    moto = pytest.importorskip("moto", reason="moto is not installed: the dependency group `system`")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    with moto.mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        session = boto3.session.Session(region_name="us-east-1")
        s3 = session.client("s3")
        s3.create_bucket(Bucket="work")
        for key in (*BATCHES, "migration/other/batches/0.jsonl"):
            s3.put_object(Bucket="work", Key=key, Body=b"{}")
        yield session


def run(session: Any, given: dict[str, Any], *, batches: int = 2) -> dict[str, Any]:
    """Return the end of an execution; states that return what they were given stand for the functions."""
    definition = migration(Pipeline())
    states = definition["States"]
    told = {"prefix": "migration/run/batches/", "batches": batches, "embedder": "nova:x", "given.$": "$.embedder"}
    states["Inventory"] = {"Type": "Pass", "Parameters": told, "ResultPath": "$.inventory", "Next": "IsEmpty"}
    del states["Failed"], states["EachBatch"]["ResultWriter"]  # it would write the results away
    states["EachBatch"]["ItemProcessor"]["States"] = {"MigrateAssets": {"Type": "Pass", "End": True}}
    client = session.client("stepfunctions")
    machine = client.create_state_machine(
        name=uuid4().hex,  # a mock inside another one does not begin empty
        definition=json.dumps(definition).replace("${WorkBucket}", "work"),
        roleArn="arn:aws:iam::123456789012:role/any",
    )
    begun = client.start_execution(
        stateMachineArn=machine["stateMachineArn"], name=uuid4().hex, input=json.dumps(given)
    )
    ends = time.monotonic() + 10
    while (found := client.describe_execution(executionArn=begun["executionArn"]))["status"] == "RUNNING":
        assert time.monotonic() < ends, found
        time.sleep(0.05)
    assert found["status"] == "SUCCEEDED", found
    output: dict[str, Any] = json.loads(found["output"])
    return output


def test_every_batch_of_this_run_is_moved(cloud: Any) -> None:
    """Each by its key, with the embedder that the inventory found."""
    moved = run(cloud, {})["results"]
    assert sorted(each["batch_key"] for each in moved) == list(BATCHES)
    assert {each["embedder"] for each in moved} == {"nova:x"}


@pytest.mark.parametrize(("given", "told"), [({}, None), ({"embedder": "nova:y"}, "nova:y")], ids=["untold", "told"])
def test_whose_embeddings_these_are_may_be_told(cloud: Any, given: dict[str, Any], told: str | None) -> None:
    """The inventory gets it, or null."""
    assert run(cloud, given)["inventory"]["given"] == told


def test_an_empty_placeholder_is_done_at_once(cloud: Any) -> None:
    """No map is begun."""
    assert "results" not in run(cloud, {}, batches=0)


def test_the_functions_get_what_they_read() -> None:
    """The inventory a name for the run; a batch its own key and embedder, nothing more."""
    states = migration(Pipeline())["States"]
    assert states["Inventory"]["Parameters"] == {"run.$": "$$.Execution.Name", "embedder.$": "$.embedder"}
    assert set(states["EachBatch"]["ItemSelector"]) == {"batch_key.$", "embedder.$"}
    processor = states["EachBatch"]["ItemProcessor"]
    (caught,) = processor["States"]["MigrateAssets"]["Catch"]
    assert processor["States"][caught["Next"]]["Type"] == "Fail"
