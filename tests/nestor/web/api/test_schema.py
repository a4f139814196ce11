"""The application keeps to its own OpenAPI document, whatever is sent; the documentation keeps to it, too."""

import re
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from nestor.web.limits import Limits
from nestor.wiring import Nestor

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: it is in the group test")


EXAMPLES = 8
"""Of each operation: some seconds in all."""
BIRDS = {"swallow.txt": b"One swallow does not make a summer.", "swift.txt": b"They sleep in the air."}


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    """Return the OpenAPI document."""
    told: dict[str, Any] = client.get("/openapi.json").json()
    return told


def test_every_operation_keeps_to_the_document(
    client: TestClient, upload: Callable[..., dict[str, Any]], document: dict[str, Any], nestor: Nestor
) -> None:
    """No 5xx; every status, type, header and body is one that the document tells of; what it forbids is refused."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        negative_data_rejection,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        negative_data_rejection,
    ]
    upload(BIRDS)
    known = [manifest.object_id for manifest in nestor.manifests.all()]
    schema = schemathesis.openapi.from_dict(document)
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @seed(20261124)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), object_id=st.sampled_from(known), is_known=st.booleans())
        def ask(case: Any, object_id: str, is_known: bool) -> None:
            if is_known and case.path_parameters and "object_id" in case.path_parameters and case.method != "DELETE":
                case.path_parameters["object_id"] = object_id
            sent = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
            headers: Any = dict(sent.headers)
            body: Any = sent.body or b""
            response = client.request(str(sent.method), str(sent.url), headers=headers, content=body)
            case.validate_response(response, checks=checks)

        ask()
        asked.add((operation.method.upper(), operation.path))
    assert ("POST", "/query") in asked
    assert len(asked) == sum(len(operations) for operations in document["paths"].values())


def test_the_limits_are_told(document: dict[str, Any]) -> None:
    """Each of them, as they are."""
    assert document["info"]["x-limits"] == asdict(Limits())


def test_examples_are_answered(
    client: TestClient, upload: Callable[..., dict[str, Any]], document: dict[str, Any]
) -> None:
    """What the document shows works as it stands."""
    upload(BIRDS)
    for path in ("/query", "/compare", "/chat"):
        example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post(path, json=example).status_code == 200


def test_the_guide_names_every_operation_and_limit(document: dict[str, Any], root: Path) -> None:
    """docs/api.md has a row for each, and no row too many."""
    guide = (root / "docs/api.md").read_text()
    written = set(re.findall(r"^\| `(GET|POST|DELETE) (/\S*)`", guide, re.MULTILINE))
    served = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert written == served
    defaults = {f"`{field.name}`": getattr(Limits(), field.name) for field in fields(Limits)}
    rows = dict(re.findall(r"^\| (`\w+`) \| ([\d,.]+) ", guide, re.MULTILINE))
    assert {name: float(value.replace(",", "")) for name, value in rows.items()} == defaults
