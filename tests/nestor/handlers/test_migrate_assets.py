"""The two functions that move a placeholder, over real HTTP: moto's S3, our own S3 Vectors."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import numpy as np
import pytest

pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("aws_lambda_powertools", reason="aws-lambda-powertools is not installed")

from nestor.adapters.s3vectors import S3Vectors, client_config
from nestor.adapters.s3vectors.rows import S3Rows
from nestor.domain import DIMENSIONS, Status
from nestor.errors import EmbedderMismatch, InvalidInput
from nestor.handlers import _runtime
from nestor.handlers.migrate_assets import handler, inventory
from nestor.settings import Settings
from nestor.wiring import Nestor
from s3vectors_local.pytest_plugin import Server

NOVA = "nova/amazon.nova-2-multimodal-embeddings-v1:0"
FILM, PICTURE = "s3://src/film.mp4", "s3://src/picture.jpg"
Rows = dict[tuple[int, str], tuple[bytes, dict[str, Any]]]


def write(root: Path, uri: str, segments: int) -> None:
    """Write an asset as the old code did, at the full size and at 256."""
    asset = uri.rsplit("/", 1)[1].replace(".", "_") + "_20251101120000"
    draw = np.random.default_rng(len(uri))
    for segment in range(segments):
        row = draw.normal(size=3072)
        for size in (256, 3072):
            path = root / f"embeddings-{size}d" / asset / f"segment_{segment}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            prefix = row[:size] / np.linalg.norm(row[:size])
            metadata = {"sourceS3Uri": uri, "uploadTimestamp": "2025-11-01T12:00:00+00:00", "contentType": "video/mp4"}
            path.write_text(json.dumps({"embedding": prefix.tolist(), "metadata": metadata}))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a placeholder of two assets, in a folder."""
    write(tmp_path / "old", FILM, 3)
    write(tmp_path / "old", PICTURE, 1)
    return tmp_path / "old"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, s3vectors_server: Server) -> Iterator[Any]:
    """Serve S3 with the buckets, and set the functions up as the stack would."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What earlier tests of this process stored is still there.
    with urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")):
        pass
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ENDPOINT_URL_S3VECTORS": s3vectors_server.url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "VECTOR_BUCKET": "vectors",
        "NESTOR_PLACEHOLDER": "s3://old/some/prefix",
        "NESTOR_WORK_BUCKET": "work",
        "NESTOR_STATE_BUCKET": "state",
    }.items():
        monkeypatch.setenv(name, value)
    _runtime.forget_clients()
    client = boto3.client("s3")
    for bucket in ("old", "work", "state"):
        client.create_bucket(Bucket=bucket)
    yield client
    client.close()
    _runtime.forget_clients()
    server.stop()


@pytest.fixture
def vectors(s3: Any) -> S3Vectors:
    """Return the indexes, made as by the stack."""
    found = S3Vectors(boto3.client("s3vectors", config=client_config()), bucket="vectors")
    found.prepare(DIMENSIONS, embedder=NOVA)
    return found


def upload(s3: Any, old: Path) -> None:
    """Bring the folder to S3."""
    for path in old.rglob("*.json"):
        s3.put_object(Bucket="old", Key=f"some/prefix/{path.relative_to(old).as_posix()}", Body=path.read_bytes())


def machine(s3: Any, run: str) -> list[dict[str, Any]]:
    """Do as the state machine does; return what became of each batch."""
    taken = inventory({"run": run, "embedder": None}, None)
    listed = s3.list_objects_v2(Bucket="work", Prefix=taken["prefix"]).get("Contents", [])
    assert len(listed) == taken["batches"]
    return [handler({"batch_key": each["Key"], "embedder": taken["embedder"]}, None) for each in listed]


def everything(client: Any, bucket: str) -> Rows:
    """Return every row of every index: bits and metadata."""
    rows = S3Rows(client, bucket=bucket)
    keys = {size: list(S3Vectors(client, bucket=bucket).keys(size)) for size in DIMENSIONS}
    return {
        (size, key): (row.embedding.tobytes(), dict(row.metadata))
        for size in DIMENSIONS
        for key, row in rows.get(size, keys[size]).items()
    }


def manifests(s3: Any) -> dict[str, dict[str, Any]]:
    """Return the manifests as they lie in the bucket, by address."""
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="state").get("Contents", [])]
    found = [json.loads(s3.get_object(Bucket="state", Key=key)["Body"].read()) for key in keys]
    return {each["uri"]: each for each in found}


Local = Callable[[], tuple[Rows, dict[str, str]]]


@pytest.fixture
def local(old: Path, settings: Settings) -> Local:
    """Return a function that moves the folder with `nestor migrate`, and gives rows and hashes by address."""

    def run() -> tuple[Rows, dict[str, str]]:
        with Nestor(settings) as home:
            moving = home.migration(str(old))
            moving.look()
            list(moving.run())
            return everything(home.client, settings.vector_bucket), {
                each.uri: each.content_hash for each in home.manifests.all()
            }

    return run


def test_the_same_end_as_the_command(s3: Any, vectors: S3Vectors, old: Path, local: Local) -> None:
    """Rows, metadata and hashes are those that `nestor migrate` leaves, damaged objects included."""
    damaged = old / "embeddings-256d" / "film_mp4_20251101120000" / "segment_1.json"
    damaged.write_text("{")
    upload(s3, old)
    (result,) = machine(s3, "first")
    rows, hashes = local()
    assert everything(boto3.client("s3vectors", config=client_config()), "vectors") == rows
    assert {uri: each["content_hash"] for uri, each in manifests(s3).items()} == hashes
    assert {each["status"] for each in manifests(s3).values()} == {Status.STORED}
    assert (result["stored"], result["segments"], result["quarantined"]) == (2, 4, 1)
    path = damaged.relative_to(old).as_posix()
    assert [(each["path"], each["reason"]) for each in result["damaged"]] == [(path, "broken")]
    copy = s3.get_object(Bucket="work", Key=f"migration/first/quarantine/{path}")["Body"].read()
    assert copy == b"{"
    told = s3.get_object(Bucket="work", Key="migration/first/damaged/00000000.jsonl")["Body"].read()
    assert json.loads(told)["path"] == path


def test_again_changes_nothing(s3: Any, vectors: S3Vectors, old: Path) -> None:
    """A second run finds everything stored; only what is new is stored, and no manifest is written again."""
    upload(s3, old)
    machine(s3, "first")
    before = {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket="state")["Contents"]}
    (result,) = machine(s3, "second")
    assert (result["stored"], result["unchanged"]) == (0, 2)
    assert {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket="state")["Contents"]} == before
    write(old, "s3://src/new.mp4", 2)
    upload(s3, old)
    (result,) = machine(s3, "third")
    assert (result["stored"], result["unchanged"]) == (1, 2)


def test_interrupted(s3: Any, vectors: S3Vectors, old: Path, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that dies between two indexes leaves what the next run completes."""
    upload(s3, old)
    put = S3Vectors.put

    def dying(self: S3Vectors, dimension: int, rows: Any) -> None:
        if dimension == 1024:
            raise KeyboardInterrupt
        put(self, dimension, rows)

    monkeypatch.setattr(S3Vectors, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        machine(s3, "first")
    monkeypatch.setattr(S3Vectors, "put", put)
    assert {each["status"] for each in manifests(s3).values()} == {Status.STORING}
    assert not list(vectors.keys(1024))
    (result,) = machine(s3, "second")
    assert result["stored"] == 2
    assert everything(boto3.client("s3vectors", config=client_config()), "vectors") == local()[0]


def test_another_embedder(s3: Any, vectors: S3Vectors, old: Path) -> None:
    """It is refused by both functions before a row is written."""
    upload(s3, old)
    with pytest.raises(EmbedderMismatch, match="another/one"):
        inventory({"run": "first", "embedder": "another/one"}, None)
    with pytest.raises(EmbedderMismatch, match="another/one"):
        handler({"batch_key": "migration/first/batches/00000000.jsonl", "embedder": "another/one"}, None)
    assert not list(vectors.keys(3072))
    assert manifests(s3) == {}


@pytest.mark.parametrize("run", ["", "../elsewhere", "a/b", "x" * 129])
def test_a_run_that_is_no_name(s3: Any, run: str) -> None:
    """A run cannot write elsewhere."""
    with pytest.raises(InvalidInput, match="run is called"):
        inventory({"run": run}, None)


@pytest.mark.parametrize("key", ["", "plans/x.jsonl", "migration/a/../batches/00000000.jsonl", "migration/a/batches/1"])
def test_a_key_of_something_else(s3: Any, vectors: S3Vectors, key: str) -> None:
    """Only keys of batches are read."""
    with pytest.raises(InvalidInput, match="no key of a batch"):
        handler({"batch_key": key, "embedder": NOVA}, None)
