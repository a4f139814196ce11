"""Bedrock over HTTP on this machine, an embedder that does not wait, and buckets in memory."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.standins.bedrock import Bedrock

from nestor.adapters.nova.embedder import NovaEmbedder
from nestor.adapters.nova.pace import Pace
from nestor.errors import ObjectMissing
from nestor.ports import ObjectInfo


class Buckets:
    """What an S3 client does for the stand-in, and the port Objects, over one dictionary."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self) -> None:
        """Start empty."""
        self.kept: dict[str, bytes] = {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        """Answer as boto3 does."""
        try:
            return {"Body": io.BytesIO(self.kept[f"s3://{Bucket}/{Key}"])}
        except KeyError:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject") from None

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803  # boto3's names
        """Keep it."""
        self.kept[f"s3://{Bucket}/{Key}"] = Body

    def info(self, uri: str) -> ObjectInfo:
        """Tell the size."""
        return ObjectInfo(len(self.get(uri)), "etag")

    def get(self, uri: str) -> bytes:
        """Return the object."""
        if uri not in self.kept:
            raise ObjectMissing(f"There is no {uri}.", code="NoSuchKey")
        return self.kept[uri]

    def lines(self, uri: str) -> Iterator[bytes]:
        """Yield its lines."""
        yield from io.BytesIO(self.get(uri))

    def put(self, uri: str, content: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Keep it."""
        self.kept[uri] = content

    def download(self, uri: str, path: Path, *, etag: str) -> None:
        """Write it to a file."""
        path.write_bytes(self.get(uri))

    def delete(self, uri: str) -> None:
        """Forget it."""
        self.kept.pop(uri, None)

    def keys(self, uri: str) -> Iterator[str]:
        """Yield what begins so."""
        return iter(sorted(key for key in self.kept if key.startswith(uri)))


@pytest.fixture
def buckets() -> Buckets:
    """Return empty buckets."""
    return Buckets()


@pytest.fixture
def bedrock(buckets: Buckets) -> Iterator[Bedrock]:
    """Serve a stand-in whose jobs read and write the buckets."""
    with Bedrock(s3=buckets) as serving:
        yield serving


@pytest.fixture
def client(bedrock: Bedrock) -> Iterator[Any]:
    """Return a boto3 client of the stand-in."""
    made = bedrock.client()
    yield made
    made.close()


@pytest.fixture
def embedder(client: Any) -> NovaEmbedder:
    """Return the embedder, which waits for nothing."""
    pace = Pace(requests_per_minute=10**9, concurrency=4, sleep=lambda _: None)
    return NovaEmbedder(client, pace=pace)


@pytest.fixture
def job(bedrock: Bedrock, client: Any) -> Callable[..., str]:
    """Return a function that runs a job to its end and gives the `s3Uri` of its output."""

    def run(model_input: dict[str, Any]) -> str:
        bedrock.faults.in_progress = 0
        arn = client.start_async_invoke(
            modelId="amazon.nova-2-multimodal-embeddings-v1:0",
            modelInput=model_input,
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://results/async/"}},
        )["invocationArn"]
        state = client.get_async_invoke(invocationArn=arn)
        assert state["status"] == "Completed", state
        return str(state["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])

    return run
