"""`nestor setup`: the bucket and the indexes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.standins.plain import Reply, Request, answering, forwarded

from nestor.domain import DIMENSIONS

Command = Callable[..., Any]
NAMES = ["nestor", *(f"embeddings-{dimension}d" for dimension in DIMENSIONS)]


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve an empty folder over HTTP, with credentials in the environment; return its address."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    program = Path(sys.executable).with_name("s3vectors-local")
    command = [str(program), "serve", "--data", str(tmp_path / "served"), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    """Return a plain client of the endpoint."""
    made = boto3.client("s3vectors", endpoint_url=endpoint, region_name="us-east-1")
    yield made
    made.close()


def states(answer: Any) -> dict[str, str]:
    """Return the state of each part."""
    return {part["name"]: part["state"] for part in answer.json["parts"]}


def test_everything_is_made_once(nestor_command: Command, endpoint: str, client: Any) -> None:
    """On an endpoint: the bucket and four indexes of the right shape, their text searchable; then nothing to do."""
    first = nestor_command("setup", "--json", NESTOR_ENDPOINT_URL=endpoint)
    assert (first.code, states(first)) == (0, dict.fromkeys(NAMES, "made"))
    for dimension in DIMENSIONS:
        index = client.get_index(vectorBucketName="nestor", indexName=f"embeddings-{dimension}d")["index"]
        assert (index["dimension"], index["distanceMetric"]) == (dimension, "cosine")
        configuration = index["metadataConfiguration"]
        assert set(configuration["nonFilterableMetadataKeys"]) == {"source_uri", "text", "code"}
        assert [each["metadataKey"] for each in configuration["textSearchConfigurations"]] == ["text"]
        tags = client.list_tags_for_resource(resourceArn=index["indexArn"])["tags"]
        assert tags["nestor:embedder"] == first.json["embedder"]
    second = nestor_command("setup", "--json", NESTOR_ENDPOINT_URL=endpoint)
    assert (second.code, states(second)) == (0, dict.fromkeys(NAMES, "unchanged"))


def test_what_differs_is_told_and_left(nestor_command: Command, endpoint: str, client: Any) -> None:
    """Another distance, missing keys, another embedder: said in words, exit code 1, and nothing is replaced."""
    client.create_vector_bucket(vectorBucketName="nestor")
    for name, dimension, metric, tags in (
        ("embeddings-256d", 256, "euclidean", {}),
        ("embeddings-384d", 384, "cosine", {"nestor:embedder": "somebody-else"}),
    ):
        client.create_index(
            vectorBucketName="nestor",
            indexName=name,
            dataType="float32",
            dimension=dimension,
            distanceMetric=metric,
            metadataConfiguration={"nonFilterableMetadataKeys": ["source_uri", "text", "code"] if tags else ["text"]},
            tags=tags,
        )
    client.put_vectors(
        vectorBucketName="nestor",
        indexName="embeddings-256d",
        vectors=[{"key": "mine", "data": {"float32": [1.0] * 256}}],
    )
    answer = nestor_command("setup", "--json", NESTOR_ENDPOINT_URL=endpoint)
    assert answer.code == 1
    parts = {part["name"]: part for part in answer.json["parts"]}
    euclidean = " ".join(parts["embeddings-256d"]["differs"])
    assert all(word in euclidean for word in ("euclidean", "source_uri, code", "nobody noted"))
    assert "somebody-else" in parts["embeddings-384d"]["differs"][0]
    assert parts["embeddings-1024d"]["state"] == "made"
    kept = client.get_vectors(vectorBucketName="nestor", indexName="embeddings-256d", keys=["mine"])["vectors"]
    assert [row["key"] for row in kept] == ["mine"]
    words = nestor_command("setup", NESTOR_ENDPOINT_URL=endpoint)
    assert (words.code, "another bucket" in words.err) == (1, True)
    assert "embeddings-256d      differs    holds 256 float32 components by euclidean distance" in words.out


def test_what_an_ingest_made_gets_its_text_searchable(
    nestor_command: Command, endpoint: str, client: Any, tmp_path: Path
) -> None:
    """The vectors stay, and from now on words find them, too."""
    (tmp_path / "a.txt").write_text("A heron stands in the shallow water.")
    assert nestor_command("ingest", tmp_path / "a.txt", NESTOR_ENDPOINT_URL=endpoint).code == 0
    answer = nestor_command("setup", NESTOR_ENDPOINT_URL=endpoint)
    assert answer.code == 0
    assert "embeddings-256d      changed    made its text searchable" in answer.out
    found = client.query_vectors(
        vectorBucketName="nestor",
        indexName="embeddings-256d",
        topK=1,
        queryTexts=[{"text": "heron", "metadataKey": "text"}],
    )["vectors"]
    assert len(found) == 1


def test_a_dropped_index_stays_away(nestor_command: Command, tmp_path: Path) -> None:
    """An empty one beside the filled one of 3072 would find nothing; doctor, too, says how to bring it back."""
    (tmp_path / "a.txt").write_text("A heron stands in the shallow water.")
    assert nestor_command("ingest", tmp_path / "a.txt").code == 0
    assert nestor_command("reindex", "--drop", 384).code == 0
    examined = nestor_command("doctor")
    assert (examined.code, "nestor reindex --add 384" in examined.out) == (0, True)
    answer = nestor_command("setup", "--json")
    assert (answer.code, states(answer)["embeddings-384d"]) == (0, "absent")
    assert "nestor reindex --add 384" in nestor_command("setup").err
    asked = nestor_command("search", "heron", "--dimension", 384)
    assert (asked.code, "nestor reindex --add 384" in asked.err) == (2, True)
    every = nestor_command("search", "heron", "--all-dimensions", "--json")
    assert "no index of 384 components here: `nestor reindex --add 384` makes it" in every.err
    assert [each["dimension"] for each in every.json["dimensions"]] == [256, 1024, 3072]
    measured = nestor_command("chat", "--calibrate")
    assert [line.partition(":")[0] for line in measured.out.splitlines()] == ["256", "1024", "3072"]
    assert nestor_command("reindex", "--add", 384).code == 0
    assert len(nestor_command("search", "heron", "--dimension", 384, "--json").json["hits"]) == 1


def test_an_empty_index_adopts_the_embedder(nestor_command: Command, endpoint: str, client: Any) -> None:
    """Nobody's vectors are in it, so nothing can be mixed."""
    nestor_command("setup", NESTOR_ENDPOINT_URL=endpoint)
    arn = client.get_index(vectorBucketName="nestor", indexName="embeddings-256d")["index"]["indexArn"]
    client.untag_resource(resourceArn=arn, tagKeys=["nestor:embedder"])
    answer = nestor_command("setup", "--json", NESTOR_ENDPOINT_URL=endpoint)
    assert states(answer)["embeddings-256d"] == "changed"
    assert client.list_tags_for_resource(resourceArn=arn)["tags"]["nestor:embedder"].startswith("nestor-local")


def test_embedded_and_for_nova(nestor_command: Command) -> None:
    """In the home, without a region or credentials; an index that is for one embedder is not for the other."""
    answer = nestor_command("setup", "--embedder", "nova", "--json", AWS_REGION="", AWS_DEFAULT_REGION="")
    assert (answer.code, states(answer)) == (0, dict.fromkeys(NAMES, "made"))
    assert answer.json["embedder"] == "nova/amazon.nova-2-multimodal-embeddings-v1:0"
    other = nestor_command("setup", "--embedder", "local", "--json")
    assert (other.code, states(other)["embeddings-3072d"]) == (1, "differs")


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [(403, {"message": "no"}, "AccessDenied"), (500, {"message": "no"}, "InternalServer")],
    ids=["denied", "failing"],
)
def test_an_error_of_the_endpoint_is_an_error(
    nestor_command: Command, status: int, body: dict[str, str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for a bucket or an index that is not there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    with answering(lambda _: (status, f"{complaint}Exception", body)) as (url, calls):
        answer = nestor_command("setup", NESTOR_ENDPOINT_URL=url)
    assert (answer.code, complaint in answer.err) == (4, True)
    assert set(calls) == {"/GetVectorBucket"}


def test_an_endpoint_without_text_search_is_set_up_all_the_same(
    nestor_command: Command, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that follows an older S3 Vectors: everything is made, and a note says what it cannot do."""

    def older(request: Request) -> Reply:
        if request.path == "/UpdateMetadataConfiguration":
            return 404, "UnknownOperationException", {}
        return forwarded(request, endpoint)

    with answering(older) as (url, calls):
        answer = nestor_command("setup", NESTOR_ENDPOINT_URL=url)
    assert answer.code == 0, answer.err
    assert answer.err.count("has no text search") == 4
    assert answer.out.count("made") == 5
    assert calls.count("/CreateIndex") == 4
