import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from s3vectors_local import boto
from s3vectors_local.engine import Engine, open_engine

CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_nothing_needs_to_be_configured(engine: Engine) -> None:
    """Without credentials, region or network there is a client that works."""
    client = boto.client(engine)
    assert client.meta.region_name == "us-east-1"
    assert [each["vectorBucketName"] for each in client.list_vector_buckets()["vectorBuckets"]] == ["demo"]


def test_it_is_botocore(engine: Engine) -> None:
    """Parameters are validated before sending, errors are the client's own exceptions."""
    client = boto.client(engine)
    with pytest.raises(ParamValidationError):
        client.query_vectors(topK="x")
    with pytest.raises(client.exceptions.NotFoundException, match="The specified index could not be found") as caught:
        client.get_index(vectorBucketName="demo", indexName="absent")
    assert "max retries" not in str(caught.value)


def test_it_is_the_client_of_boto3(engine: Engine) -> None:
    """It has what boto3's client has, and boto3 is not imported for it."""
    assert dir(boto.client(engine)) == dir(boto3.client("s3vectors", **CREDENTIALS))
    made = "import sys; from s3vectors_local import boto, open_engine; boto.client(open_engine(None))"
    done = subprocess.run(
        [sys.executable, "-c", f"{made}; print('boto3' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_failures_are_not_retried(engine: Engine) -> None:
    """An internal error comes at once, without sleeping and trying again."""
    engine.close()
    with pytest.raises(ClientError, match="InternalServerException") as caught:
        boto.client(engine).list_vector_buckets()
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_arguments_go_to_boto3(engine: Engine) -> None:
    """Region and config of the caller count."""
    client = boto.client(engine, region_name="eu-west-1", config=Config(parameter_validation=False))
    assert client.meta.region_name == "eu-west-1"
    with pytest.raises(ClientError, match="ValidationException"):
        client.get_index()


def test_attach(engine: Engine) -> None:
    """An existing client is answered by the engine from then on, signed requests too."""
    existing = boto3.client("s3vectors", **CREDENTIALS)
    boto.attach(existing, engine)
    assert existing.get_vector_bucket(vectorBucketName="demo")["vectorBucket"]["vectorBucketName"] == "demo"


def test_engines_are_apart(engine: Engine) -> None:
    """Two clients of two engines see two worlds, in their own region and account."""
    with open_engine(None, region="eu-west-1", account="123456789012") as other:
        client: Any = boto.client(other)
        arn = client.create_vector_bucket(vectorBucketName="mine")["vectorBucketArn"]
        assert arn == "arn:aws:s3vectors:eu-west-1:123456789012:bucket/mine"
        assert [each["vectorBucketName"] for each in client.list_vector_buckets()["vectorBuckets"]] == ["mine"]
        assert len(boto.client(engine).list_vector_buckets()["vectorBuckets"]) == 1
