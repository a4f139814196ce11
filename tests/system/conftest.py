"""One account a session, emptied for each test."""

import functools
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as aws_sdk,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for
from tests.standins.bedrock import Bedrock
from tests.system import cloud as clouds
from tests.system import deployment as deployments
from tests.system import sdk
from tests.system.cloud import SECRET, Cloud
from tests.system.deployment import Deployment
from tests.system.roles import ACCOUNT, BUCKET, REGION

from nestor.adapters.nova import EMBEDDER_ID
from nestor.domain import DIMENSIONS
from nestor.handlers import _runtime


def _client_for(region: str, service: str, state_credentials: object) -> Any:
    """Return the client by which moto calls a function; making one takes longer than the call."""
    return _kept_client(region, service)


@functools.cache
def _kept_client(region: str, service: str) -> Any:
    return boto_client_for(region=region, service=service)


class _NoPause:
    """In place of `time` where moto waits before a retry."""

    @staticmethod
    def sleep(seconds: float) -> None:
        """Wait no longer than another thread needs to go on."""


def _no_wait(state: object, env: object, wait_seconds: int) -> None:
    """Pass over the pauses between two looks at a job."""
    assert wait_seconds >= 0


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Return what the stacks deploy; what was agreed on where aws_cdk is not installed."""
    if importlib.util.find_spec("aws_cdk") is None:
        return deployments.by_agreement()
    return deployments.from_templates(tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def vectors_url(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an empty vector bucket with the four indexes over HTTP, under the roles' policies."""
    folder = tmp_path_factory.mktemp("vectors")
    (folder / "credentials.json").write_text(json.dumps(clouds.credentials(deployment)))
    program = str(Path(sys.executable).with_name("s3vectors-local"))
    command = [program, "serve", "--data", str(folder / "data"), "--port", "0", "--json", "--quiet"]
    command += ["--account", ACCOUNT, "--region", REGION, "--credentials", str(folder / "credentials.json")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        url = str(json.loads(process.stdout.readline())["url"])
        _make_indexes(url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def _make_indexes(url: str) -> None:
    client = boto3.client(
        "s3vectors", endpoint_url=url, region_name=REGION, aws_access_key_id="ADMIN", aws_secret_access_key=SECRET
    )
    client.create_vector_bucket(vectorBucketName=BUCKET)
    for dimension in DIMENSIONS:
        client.create_index(
            vectorBucketName=BUCKET,
            indexName=f"embeddings-{dimension}d",
            dataType="float32",
            dimension=dimension,
            distanceMetric="cosine",
            metadataConfiguration={"nonFilterableMetadataKeys": ["source_uri", "text", "code"]},
            tags={"nestor:embedder": EMBEDDER_ID},
        )


@pytest.fixture(scope="module")  # no wider: while it lasts, every client of botocore in this process is moto's
def account() -> Iterator[str]:
    """Return the address of S3 in an account of moto's whose state machines are really interpreted."""
    config: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
    with pytest.MonkeyPatch.context() as patched, mock_aws(config=config):
        patched.setattr(retrier_decl, "time", _NoPause)
        patched.setattr(WaitFunction, "_wait_interval", _no_wait)
        patched.setitem(aws_sdk._SERVICE_ERROR_NAMES, "bedrockruntime", "BedrockRuntime")
        patched.setattr(lambda_eval_utils, "boto_client_for", _client_for)
        patched.setattr(aws_sdk.StateTaskServiceAwsSdk, "_eval_service_task", sdk.call)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def cloud(account: str, vectors_url: str, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Return an empty account."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    s3 = boto3.client(
        "s3", endpoint_url=account, region_name=REGION, aws_access_key_id="TEST", aws_secret_access_key=SECRET
    )
    for bucket in (deployments.SOURCE, deployments.WORK, deployments.STATE):
        clouds.empty_bucket(s3, bucket)
    with Bedrock(s3=s3, region=REGION) as bedrock:
        # The state machine's own calls find the stand-in by the environment, as the functions do.
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock.url)
        _runtime.forget_clients()
        _empty_queue()
        made = Cloud(s3_url=account, vectors_url=vectors_url, bedrock=bedrock, deployment=deployment)
        _clear(made)
        monkeypatch.setattr(LambdaSimpleBackend, "invoke", _invoking(made))
        yield made
        _runtime.forget_clients()


@pytest.fixture
def sample(root: Path) -> Callable[[str], bytes]:
    """Return a function that gives the bytes of a sample."""
    return lambda name: (root / "samples" / name).read_bytes()


def _invoking(cloud: Cloud) -> Any:
    def invoke(
        backend: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
    ) -> bytes:
        answer, failed = cloud.invoke(function_name, body.decode() if isinstance(body, bytes) else body)
        if failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return answer

    return invoke


def _empty_queue() -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    for url in sqs.list_queues().get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=url)


def _clear(cloud: Cloud) -> None:
    for dimension, keys in cloud.keys().items():
        if keys:
            cloud.vectors.delete_vectors(
                vectorBucketName=BUCKET, indexName=f"embeddings-{dimension}d", keys=sorted(keys)
            )
