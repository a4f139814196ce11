"""The custom resource, against the engine and over real HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.functions import index_settings
from s3vectors_local import open_engine
from s3vectors_local.boto import client


@pytest.fixture
def s3vectors(tmp_path: Path) -> Iterator[Any]:
    """Return a boto3 client of an engine with two indexes."""
    with open_engine(tmp_path / "vectors") as engine:
        made = client(engine)
        made.create_vector_bucket(vectorBucketName="some-bucket")
        for name in ("one", "two"):
            made.create_index(
                vectorBucketName="some-bucket",
                indexName=name,
                dataType="float32",
                dimension=4,
                distanceMetric="cosine",
                metadataConfiguration={"nonFilterableMetadataKeys": ["text"]},
            )
        yield made


def arns(s3vectors: Any) -> list[str]:
    """Return the ARNs of both."""
    return [each["indexArn"] for each in s3vectors.list_indexes(vectorBucketName="some-bucket")["indexes"]]


def wanted(s3vectors: Any, language: str = "en") -> dict[str, Any]:
    """Return the properties of the resource."""
    return {"IndexArns": arns(s3vectors), "IndexMode": "ENHANCED", "TextKey": "text", "TextLanguage": language}


def found(s3vectors: Any) -> list[Any]:
    """Return mode and text search of both indexes, the state of building left out."""
    return [
        (index["indexMode"], [(t["metadataKey"], t.get("language")) for t in configurations])
        for arn in arns(s3vectors)
        for index in [s3vectors.get_index(indexArn=arn)["index"]]
        for configurations in [index["metadataConfiguration"].get("textSearchConfigurations", [])]
    ]


def test_every_index_gets_the_settings_and_keeps_them(s3vectors: Any) -> None:
    """English, then German, then the standard analyser; the same again changes nothing."""
    for language, named in (("en", "en"), ("en", "en"), ("de", "de"), ("standard", None), ("standard", None)):
        index_settings.apply(s3vectors, wanted(s3vectors, language))
        assert found(s3vectors) == [("ENHANCED", [("text", named)])] * 2


def test_what_is_right_is_left_alone(s3vectors: Any) -> None:
    """The second time it only looks."""
    index_settings.apply(s3vectors, wanted(s3vectors))
    calls: list[str] = []
    s3vectors.meta.events.register("before-call.s3vectors", lambda model, **_: calls.append(model.name))
    properties = wanted(s3vectors)
    calls.clear()
    index_settings.apply(s3vectors, properties)
    assert calls == ["GetIndex", "GetIndex"]


@pytest.fixture
def answers() -> Iterator[tuple[str, list[Any]]]:
    """Return an address that takes CloudFormation's answers, and the list where they arrive."""
    arrived: list[Any] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            """Keep the answer."""
            arrived.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/answer", arrived
    server.shutdown()
    thread.join()
    server.server_close()


def event(url: str, kind: str, **properties: Any) -> dict[str, Any]:
    """Return what CloudFormation sends."""
    return {
        "RequestType": kind,
        "ResponseURL": url,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "IndexSettings",
        "ResourceProperties": properties,
    }


def test_cloudformation_is_told_of_success(
    s3vectors: Any, answers: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own ids, and an id of the resource that stays the same."""
    url, arrived = answers
    monkeypatch.setattr("boto3.client", lambda _service: s3vectors)
    index_settings.handler(event(url, "Create", **wanted(s3vectors)), None)
    assert arrived == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "nestor-index-settings",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "IndexSettings",
        }
    ]
    assert found(s3vectors)[0][0] == "ENHANCED"


def test_cloudformation_is_told_of_a_failure(
    s3vectors: Any, answers: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the service's own words, so that nobody waits for an hour."""
    url, arrived = answers
    monkeypatch.setattr("boto3.client", lambda _service: s3vectors)
    properties = wanted(s3vectors) | {
        "IndexArns": [arns(s3vectors)[0].replace("/one", "/none").replace("/two", "/none")]
    }
    index_settings.handler(event(url, "Update", **properties), None)
    assert arrived[0]["Status"] == "FAILED"
    assert "NotFoundException" in arrived[0]["Reason"]


def test_a_deletion_touches_nothing(answers: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The indexes are retained, and so are their settings: no client is even made."""
    url, arrived = answers
    monkeypatch.setattr("boto3.client", None)
    index_settings.handler(event(url, "Delete"), None)
    assert arrived[0]["Status"] == "SUCCESS"
