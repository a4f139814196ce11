"""Over real HTTP to moto's S3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from nestor.adapters.objects import S3Objects
from nestor.errors import InvalidInput, ObjectMissing, ObjectsError

pytest.importorskip("moto", reason="moto is not installed")

WHO = "anybody"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def _client(address: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=WHO,
        aws_secret_access_key=WHO,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
    )


@pytest.fixture
def objects(address: str) -> S3Objects:
    """Return a store with a bucket `bkt`."""
    client = _client(address)
    client.create_bucket(Bucket="bkt")
    for entry in client.list_objects_v2(Bucket="bkt").get("Contents", []):
        client.delete_object(Bucket="bkt", Key=entry["Key"])
    return S3Objects(client)


@pytest.mark.parametrize("key", ["plain.txt", "a b+c/ü%20.txt", "deep/../odd", "x" * 1000])
def test_round_trip(objects: S3Objects, key: str) -> None:
    """An object of any key comes back whole, with its size."""
    uri = f"s3://bkt/{key}"
    objects.put(uri, b"content", content_type="text/plain")
    assert objects.get(uri) == b"content"
    info = objects.info(uri)
    assert (info.size, info.content_type) == (7, "text/plain")
    assert info.modified_at > 1_700_000_000
    assert list(objects.keys("s3://bkt/")) == [key]
    objects.delete(uri)
    objects.delete(uri)
    assert list(objects.keys("s3://bkt/")) == []


@pytest.mark.parametrize("content", [b"", b"a", b"a\n", b"a\n\nb", b"\n", b"a\r\nb\n", b"x" * (2 << 20) + b"\ny"])
def test_lines(objects: S3Objects, content: bytes) -> None:
    """Lines end at newlines only, however the chunks fall."""
    objects.put("s3://bkt/lines", content)
    assert b"\n".join(objects.lines("s3://bkt/lines")) == content.removesuffix(b"\n")


def test_missing(objects: S3Objects, tmp_path: Path) -> None:
    """What is not there is ObjectMissing, by every way of asking."""
    uri = "s3://bkt/none"
    for ask in (objects.info, objects.get, lambda uri: list(objects.lines(uri))):
        with pytest.raises(ObjectMissing, match="s3://bkt/none") as raised:
            ask(uri)
        assert not raised.value.retryable
    with pytest.raises(ObjectMissing):
        objects.download(uri, tmp_path / "file", etag='"x"')


def test_download_of_one_version(objects: S3Objects, tmp_path: Path) -> None:
    """A version that was overwritten meanwhile is not taken for the one that was looked at."""
    objects.put("s3://bkt/k", b"one")
    etag = objects.info("s3://bkt/k").etag
    objects.download("s3://bkt/k", tmp_path / "file", etag=etag)
    assert (tmp_path / "file").read_bytes() == b"one"
    objects.put("s3://bkt/k", b"two")
    with pytest.raises(ObjectMissing, match="overwritten"):
        objects.download("s3://bkt/k", tmp_path / "file", etag=etag)


def test_replace(objects: S3Objects) -> None:
    """Only the version that was seen is replaced; a conflict can be tried again."""
    first = objects.replace("s3://bkt/k", b"1", etag=None, content_type="text/plain")
    for stale in (None, '"0123456789abcdef0123456789abcdef"'):
        with pytest.raises(ObjectsError) as raised:
            objects.replace("s3://bkt/k", b"x", etag=stale, content_type="text/plain")
        assert (raised.value.code, raised.value.retryable) == ("PreconditionFailed", True)
    objects.replace("s3://bkt/k", b"2", etag=first, content_type="text/plain")
    assert objects.fetch("s3://bkt/k")[0] == b"2"


def test_unreachable() -> None:
    """A service that is not there is an error that may pass, not an empty answer."""
    lost = S3Objects(_client("http://127.0.0.1:9"))
    for ask in (lost.info, lost.get, lambda uri: list(lost.keys(uri))):
        with pytest.raises(ObjectsError) as raised:
            ask("s3://bkt/k")
        assert raised.value.retryable


@pytest.mark.parametrize("uri", ["b/k", "s3://", "s3://b", "http://b/k"])
def test_addresses(objects: S3Objects, uri: str) -> None:
    """What is no address of an object is refused."""
    with pytest.raises(InvalidInput, match="s3://bucket/key"):
        objects.get(uri)
