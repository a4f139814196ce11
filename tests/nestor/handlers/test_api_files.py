"""The application as a function, over real HTTP: moto's S3, our own S3 Vectors, a stand-in of Bedrock."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import numpy as np
import pytest

pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("aws_lambda_powertools", reason="aws-lambda-powertools is not installed")
pytest.importorskip("mangum", reason="mangum is not installed: it is in the group lambda-api")
pytest.importorskip("fastapi", reason="fastapi is not installed: pip install 'nestor[web]'")

import requests
from tests.standins.bedrock import Bedrock, embedding_for
from tests.standins.converse import conversing, said

from nestor.adapters.object_manifests import ObjectManifests
from nestor.adapters.objects import S3Objects
from nestor.adapters.s3vectors import S3Vectors, client_config
from nestor.domain import DIMENSIONS, Manifest, Modality, Status, object_id, segment_key
from nestor.handlers import _runtime, api
from nestor.nesting import nest
from nestor.ports import VectorRow
from s3vectors_local.pytest_plugin import Server

NOVA = "nova/amazon.nova-2-multimodal-embeddings-v1:0"
SWALLOW, SWIFT = "One swallow does not make a summer.", "They sleep in the air."
ELSEWHERE = "s3://another/bird.txt"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Serve S3; return its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, s3vectors_server: Server, moto: str) -> Iterator[Any]:
    """Serve S3 with the buckets, Bedrock, and set the function up as the stack would."""
    # What earlier tests of this process stored is still there.
    requests.post(f"{moto}/moto-api/reset", timeout=10).raise_for_status()
    with Bedrock() as bedrock:
        for name, value in {
            "AWS_ENDPOINT_URL_S3": moto,
            "AWS_ENDPOINT_URL_S3VECTORS": s3vectors_server.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "standin-secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "VECTOR_BUCKET": "vectors",
            "NESTOR_SOURCE_BUCKET": "source",
            "NESTOR_STATE_BUCKET": "state",
        }.items():
            monkeypatch.setenv(name, value)
        _runtime.forget_clients()
        client = boto3.client("s3")
        for bucket in ("source", "state"):
            client.create_bucket(Bucket=bucket)
        yield client
        client.close()
        _runtime.forget_clients()


@pytest.fixture
def stored(s3: Any) -> Callable[..., str]:
    """Return a function that stores a text as the pipeline does, and gives its id."""
    vectors = S3Vectors(boto3.client("s3vectors", config=client_config()), bucket="vectors")
    vectors.prepare(DIMENSIONS, embedder=NOVA)

    def store(uri: str, text: str, **about: Any) -> str:
        name, asset = uri.rpartition("/")[2], object_id(uri)
        if uri.startswith("s3://source/"):
            s3.put_object(Bucket="source", Key=uri.removeprefix("s3://source/"), Body=text.encode())
        metadata: dict[str, Any] = {
            "object_id": asset,
            "modality": "text",
            "file_name": name,
            "segment_index": 0,
            "text": text,
        }
        rows = nest(np.asarray([embedding_for(text)], np.float32), DIMENSIONS)
        for dimension in DIMENSIONS:
            row = VectorRow(segment_key(asset, 0), rows[dimension][0], {**metadata, "source_uri": uri})
            vectors.put(dimension, [row])
        manifest = Manifest(
            uri=uri,
            status=Status.STORED,
            segments=1,
            embedder=NOVA,
            modality=Modality.TEXT,
            file_name=name,
            **{"content_type": "text/plain", **about},
        )
        ObjectManifests(S3Objects(s3), bucket="state").put([manifest])
        return asset

    return store


@pytest.fixture
def ask(s3: Any, http_event: Callable[..., dict[str, Any]]) -> Ask:
    """Return a function that sends a request to the function and gives status and document."""

    def send(method: str, path: str, **members: Any) -> tuple[int, Any]:
        answer = api.handler(http_event(method, path, **members), None)
        if answer["statusCode"] == 302:
            return 302, answer["headers"]["location"]
        assert answer["headers"]["content-type"] == "application/json", answer
        return answer["statusCode"], json.loads(answer["body"])

    return send


def test_assets_are_listed_and_shown(ask: Ask, stored: Callable[..., str]) -> None:
    """As `nestor serve` does, with what changed since the last time; a file elsewhere is told as such."""
    swallow = stored("s3://source/birds/swallow.txt", SWALLOW, collection="birds")
    assert ask("GET", "/assets")[1]["total"] == 1
    stored("s3://source/birds/swift.txt", SWIFT, collection="birds")
    stored(ELSEWHERE, SWIFT)
    status, listed = ask("GET", "/assets", query="limit=2")
    assert (status, listed["total"], listed["next_offset"], listed["collections"]) == (200, 3, 2, ["birds"])
    assert [(each["uri"], each["file_is_here"]) for each in listed["assets"]] == [
        (ELSEWHERE, False),
        ("s3://source/birds/swallow.txt", True),
    ]
    stored("s3://source/birds/swallow.txt", SWALLOW, collection="other")
    assert ask("GET", "/assets", query="collection=other")[1]["total"] == 1
    status, shown = ask("GET", f"/assets/{swallow}")
    assert (status, shown["asset"]["file_name"]) == (200, "swallow.txt")
    assert [each["metadata"]["text"] for each in shown["segments"]] == [SWALLOW]
    status, text = ask("GET", f"/media/{swallow}/text")
    assert text["segments"][0]["metadata"]["text"] == SWALLOW


def test_questions_and_comparisons(ask: Ask, stored: Callable[..., str]) -> None:
    """Each size finds the text that says just that; health looks at manifests and indexes."""
    swift = stored("s3://source/swift.txt", SWIFT)
    stored("s3://source/swallow.txt", SWALLOW)
    status, found = ask("POST", "/compare", body={"query": SWIFT, "top_k": 1})
    assert status == 200, found
    assert [each["hits"][0]["key"] for each in found["entries"]] == [f"{swift}_segment_0"] * 4
    status, found = ask("POST", "/query", body={"query": SWIFT, "top_k": 1, "dimension": 384})
    assert (status, found["hits"][0]["metadata"]["object_id"]) == (200, swift)
    assert ask("GET", "/health") == (200, {"status": "ok"})


def test_an_upload_is_a_form_that_S3_takes(ask: Ask, s3: Any) -> None:  # noqa: N802 - its name
    """Bounded in place, size, type and time; sent as it says, the file is where the pipeline looks."""
    asked = {"name": "../my film.mp4", "size_bytes": 4}
    status, offer = ask("POST", "/assets", body=asked)
    assert (status, offer["content_type"], offer["expires_in"]) == (200, "video/mp4", 900)
    key = offer["upload"]["fields"]["key"]
    assert key.startswith("uploads/")
    assert key.endswith("/my film.mp4")
    assert offer["uri"] == f"s3://source/{key}"
    assert offer["object_id"] == object_id(offer["uri"])
    policy = json.loads(base64.b64decode(offer["upload"]["fields"]["policy"]))
    assert {"bucket": "source"} in policy["conditions"]
    assert {"key": key} in policy["conditions"]
    assert {"Content-Type": "video/mp4"} in policy["conditions"]
    assert ["content-length-range", 4, 4] in policy["conditions"]
    assert offer["upload"]["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    sent = requests.post(
        offer["upload"]["url"], data=offer["upload"]["fields"], files={"file": ("any", b"film")}, timeout=10
    )
    assert sent.status_code == 204, sent.text
    assert s3.get_object(Bucket="source", Key=key)["Body"].read() == b"film"
    assert ask("POST", "/assets", body=asked)[1]["uri"] != offer["uri"]


def test_a_client_cannot_choose_the_key(ask: Ask) -> None:
    """The name that S3 would fill in from the client's form is no such name any more."""
    offer = ask("POST", "/assets", body={"name": "${filename}.txt"})[1]
    assert "${" not in offer["upload"]["fields"]["key"]
    policy = json.loads(base64.b64decode(offer["upload"]["fields"]["policy"]))
    assert {"key": offer["upload"]["fields"]["key"]} in policy["conditions"]
    assert ["content-length-range", 1, 2_000_000_000] in policy["conditions"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "name"),
    ({"name": ""}, 400, "name"),
    ({"name": "x" * 1_001}, 400, "1 to 1,000"),
    ({"name": ".."}, 400, "no name for a file"),
    ({"name": 5}, 400, "a text"),
    ({"name": "a.mp4", "size_bytes": 0}, 400, "empty"),
    ({"name": "a.mp4", "size_bytes": True}, 400, "a whole number"),
    ({"name": "a.mp4", "size_bytes": 2_000_000_001}, 413, "2,000,000,000"),
    ({"name": "a.svg", "content_type": "image/svg+xml"}, 415, "image/svg+xml"),
    ({"name": "a.exe", "content_type": "application/x-msdownload"}, 415, "application/pdf"),
    ({"name": "a.txt", "content_type": "text/plain\r\nx: y"}, 415, "text/plain"),
    ({"name": "a.txt", "collection": "birds"}, 400, "collection"),
    ({"name": "a.txt", "path": "b"}, 400, "'path' is unknown"),
]


def test_what_is_no_upload(ask: Ask) -> None:
    """It is refused with what may be instead, before anything is signed."""
    for body, status, words in REFUSED:
        told, document = ask("POST", "/assets", body=body)
        assert (told, words in document["error"]["message"]) == (status, True), (body, document)


def test_collections_are_folders(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pipeline files by folder, a collection is the first one; it cannot lead elsewhere."""
    monkeypatch.setenv("NESTOR_COLLECTION_FROM_PREFIX", "true")
    status, offer = ask("POST", "/assets", body={"name": "a.txt", "collection": "my birds"})
    assert status == 200
    assert offer["uri"].startswith("s3://source/my birds/")
    for collection in ("..", "a/b", "/a", "${filename}", "a\n"):
        assert ask("POST", "/assets", body={"name": "a.txt", "collection": collection})[0] == 400, collection


def test_a_file_is_fetched_from_the_bucket(ask: Ask, stored: Callable[..., str], s3: Any) -> None:
    """The answer sends on to an address that gives the file, ranges of it, and never something that runs."""
    asset = stored("s3://source/pages/a page.html", SWALLOW, content_type="text/html")
    status, address = ask("GET", f"/media/{asset}")
    assert status == 302
    signed = parse_qs(urlsplit(address).query)
    assert signed["X-Amz-Expires"] == ["900"]
    assert signed["response-content-type"] == ["text/plain; charset=utf-8"]
    assert signed["response-content-disposition"][0].startswith("inline")
    whole = requests.get(address, timeout=10)
    assert (whole.status_code, whole.text) == (200, SWALLOW)
    part = requests.get(address, headers={"range": "bytes=4-10"}, timeout=10)
    assert (part.status_code, part.text) == (206, SWALLOW[4:11])
    saved = parse_qs(urlsplit(ask("GET", f"/media/{asset}", query="download=true")[1]).query)
    assert saved["response-content-disposition"][0].startswith("attachment")
    assert requests.head(ask("HEAD", f"/media/{asset}")[1], timeout=10).status_code == 200


def test_a_file_that_cannot_be_fetched(ask: Ask, stored: Callable[..., str], s3: Any) -> None:
    """An unknown asset, a file in another bucket, one that is gone: each is told."""
    gone = stored("s3://source/gone.txt", SWIFT)
    s3.delete_object(Bucket="source", Key="gone.txt")
    codes = [ask("GET", f"/media/{asset}")[1]["error"]["code"] for asset in ("0" * 24, stored(ELSEWHERE, SWIFT), gone)]
    assert codes == ["NotFound", "FileElsewhere", "FileGone"]


def test_deleting_removes_the_file_alone(ask: Ask, stored: Callable[..., str], s3: Any) -> None:
    """What is stored of it is the pipeline's to remove; what lies elsewhere stays there."""
    asset = stored("s3://source/a/swift.txt", SWIFT)
    status, deleted = ask("DELETE", f"/assets/{asset}")
    assert (status, deleted) == (202, {"object_id": asset, "uri": "s3://source/a/swift.txt", "segments": 1})
    assert "Contents" not in s3.list_objects_v2(Bucket="source")
    assert ask("GET", f"/assets/{asset}")[0] == 200
    status, refused = ask("DELETE", f"/assets/{stored(ELSEWHERE, SWIFT)}")
    assert (status, refused["error"]["code"]) == (409, "FileElsewhere")
    assert ask("DELETE", f"/assets/{'0' * 24}")[0] == 404


def test_what_only_a_server_of_ones_own_has(ask: Ask) -> None:
    """Jobs, thumbnails, metrics, pages and logins are no addresses here; a wrong method is told which there are."""
    for method, path in (("GET", "/jobs"), ("GET", "/metrics"), ("GET", "/"), ("GET", "/login"), ("POST", "/login")):
        assert ask(method, path)[0] == 404, path
    assert ask("GET", f"/media/{'0' * 24}/thumbnails/0")[0] == 404
    status, document = ask("GET", "/openapi.json")
    assert status == 200
    assert {"/assets", "/assets/{object_id}", "/media/{object_id}", "/compare", "/query", "/health"} <= set(
        document["paths"]
    )
    assert set(document["paths"]["/assets"]) == {"get", "post"}
    assert "application/json" in document["paths"]["/assets"]["post"]["requestBody"]["content"]


def test_a_file_cannot_ask(ask: Ask) -> None:
    """Readers of files are not carried; it is refused, with what can be asked."""
    body = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nswift\r\n--x--\r\n'
    event = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    headers = {"content-type": "multipart/form-data; boundary=x", "host": "a", "x-forwarded-proto": "https"}
    status, document = ask("POST", "/compare", **event, headers=headers)
    assert (status, document["error"]["code"]) == (415, "WordsOnly")


def test_an_error_of_a_service_is_an_error(ask: Ask, stored: Callable[..., str], s3: Any) -> None:
    """Never an empty list."""
    stored("s3://source/swift.txt", SWIFT)
    for entry in s3.list_objects_v2(Bucket="state")["Contents"]:
        s3.delete_object(Bucket="state", Key=entry["Key"])
    s3.delete_bucket(Bucket="state")
    assert ask("GET", "/assets")[0] >= 500


def test_pages_of_named_origins_may_write(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are refused, even where the API's own CORS settings failed."""
    monkeypatch.setenv("NESTOR_ALLOWED_ORIGINS", "https://search.example.com https://b.example.com")
    headers = {"host": "abc.execute-api.us-east-1.amazonaws.com", "content-type": "application/json"}
    for origin, status in (("https://evil.example.com", 403), ("https://search.example.com", 200)):
        assert ask("POST", "/assets", body={"name": "a.txt"}, headers=headers | {"origin": origin})[0] == status


def test_the_chat_quotes_where_there_is_no_model(ask: Ask, stored: Callable[..., str]) -> None:
    """The whole answer as one document, whatever is asked for: an HTTP API passes no streams on."""
    swift = stored("s3://source/swift.txt", SWIFT)
    for wish in ({}, {"stream": True}):
        status, answer = ask("POST", "/chat", body={"question": SWIFT, **wish})
        assert status == 200, answer
        assert (answer["mode"], answer["model"]) == ("extractive", None)
        assert SWIFT in answer["answer"]
        assert [passage["object_id"] for passage in answer["passages"]] == [swift]
    assert ask("POST", "/chat", body={"question": ""})[0] == 400


def test_the_chat_asks_the_model_that_is_named(
    ask: Ask, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the stored text and no pictures; what it cites comes with its place, and a follow-up with its turn."""
    stored("s3://source/swift.txt", SWIFT)
    monkeypatch.setenv("NESTOR_CHAT_MODEL", "us.amazon.nova-lite-v1:0")
    assert ask("GET", "/health")[0] == 200  # who embeds is known from now on, and asked where Bedrock is
    with conversing() as model:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", model.url)
        model.frames = said("In the ", "air [1].")
        status, answer = ask("POST", "/chat", body={"question": SWIFT})
        assert status == 200, answer
        assert (answer["mode"], answer["model"]) == ("model", "us.amazon.nova-lite-v1:0")
        assert answer["answer"] == "In the air [1]."
        assert answer["citations"]["numbers"] == [1]
        (sent,) = model.asked[-1]["messages"]
        assert [list(part) for part in sent["content"]] == [["text"]] * len(sent["content"])
        assert SWIFT in str(sent["content"])
        follow = {"question": SWIFT, "conversation": [answer["turn"]]}
        assert ask("POST", "/chat", body=follow)[0] == 200
        model.error = (400, "ValidationException", "no such model")
        status, refused = ask("POST", "/chat", body={"question": SWIFT})
        assert (status, refused["error"]["code"]) == (502, "ModelFailed")
