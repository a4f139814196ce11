"""The routes of files in a bucket, over a real home and a real signer; nothing is sent to the bucket."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from hypothesis import HealthCheck, Phase, given, seed, settings
from starlette.testclient import TestClient

from nestor.adapters.objects import S3Objects
from nestor.pipeline.source import SourceFiles
from nestor.web import cloud
from nestor.web.app import create
from nestor.web.context import Options
from nestor.wiring import Nestor

OPERATIONS = {("POST", "/assets"), ("DELETE", "/assets/{object_id}"), ("GET", "/media/{object_id}")}


@pytest.fixture
def client(nestor: Nestor) -> Iterator[TestClient]:
    """Return a client of the application over a bucket."""
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="AKIDSTANDIN",
        aws_secret_access_key="standin-secret",  # noqa: S106  # opens nothing
        config=Config(signature_version="s3v4"),
    )
    objects = S3Objects(s3)
    source = SourceFiles("source", objects=objects, handover=objects, most_bytes=1_000_000, collections=True)
    made = create(nestor, options=Options(page=False, holds=source.holds), files=cloud.routers(source))
    with TestClient(made, base_url="http://localhost", raise_server_exceptions=False, follow_redirects=False) as found:
        yield found
    s3.close()


def test_the_routes_keep_to_their_document(client: TestClient) -> None:
    """No 5xx; every status and body is one that the document tells of; what it forbids is refused."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: it is in the group test")
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        negative_data_rejection,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
        negative_data_rejection,
    ]
    asked = set()
    for found in schemathesis.openapi.from_dict(client.get("/openapi.json").json()).get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) not in OPERATIONS:
            continue

        @seed(20261124)
        @settings(
            max_examples=20,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            sent = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
            headers: Any = dict(sent.headers)
            body: Any = sent.body or b""
            case.validate_response(
                client.request(str(sent.method), str(sent.url), headers=headers, content=body), checks=checks
            )

        ask()
        asked.add((operation.method.upper(), operation.path))
    assert asked == OPERATIONS


def test_the_example_is_answered(client: TestClient) -> None:
    """What the document shows works as it stands, and what it cannot be is refused by the file's limit."""
    document = client.get("/openapi.json").json()
    example = document["paths"]["/assets"]["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = client.post("/assets", json=example | {"size_bytes": 1_000_000})
    assert answer.status_code == 200
    assert answer.json()["most_bytes"] == 1_000_000
    assert client.post("/assets", json=example).status_code == 413


def test_every_method_of_an_address_is_told(client: TestClient, error_of: Callable[[Any, int], str]) -> None:
    """Whichever set of routes has it."""
    answer = client.put("/assets")
    assert error_of(answer, 405) == "MethodNotAllowed"
    assert answer.headers["allow"] == "GET, POST"
    answer = client.post(f"/media/{'0' * 24}")
    assert error_of(answer, 405) == "MethodNotAllowed"
    assert answer.headers["allow"] == "GET, HEAD"
