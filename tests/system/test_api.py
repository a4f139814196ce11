"""The application behind the HTTP API, under its own role, from the signed form to the last trace of a file."""

import dataclasses
from fnmatch import fnmatchcase

import pytest
import requests
from tests.system.cloud import Cloud
from tests.system.deployment import SOURCE, Deployment

from nestor.domain import DIMENSIONS, object_id

for _needed in ("mangum", "fastapi"):
    pytest.importorskip(_needed, reason=f"{_needed} is not installed: it is in the group lambda-api")

TEXT = b"One swallow does not make a summer."


def allows(deployment: Deployment, action: str, key: str) -> bool:
    """Say whether the function's role may do that with an object of the source bucket."""
    address = f"arn:aws:s3:::{SOURCE}/{key}"
    return any(
        action in statement["Action"] and any(fnmatchcase(address, each) for each in statement["Resource"])
        for statement in deployment.statements["api"]
    )


def test_a_file_comes_is_found_is_fetched_and_goes(cloud: Cloud, deployment: Deployment) -> None:
    """Every step by the API, or by what its answers are good for; what is signed, the role that signs it may do."""
    status, offer = cloud.ask("POST", "/assets", {"name": "swallow.txt", "size_bytes": len(TEXT)})
    assert status == 200, offer
    asset, key = offer["object_id"], offer["upload"]["fields"]["key"]
    if deployment.synthesised:
        assert allows(deployment, "s3:PutObject", key)
        assert allows(deployment, "s3:GetObject", key)
        assert not allows(deployment, "s3:PutObject", "swallow.txt")
    assert cloud.ask("GET", f"/assets/{asset}")[0] == 404
    sent = requests.post(offer["upload"]["url"], data=offer["upload"]["fields"], files={"file": TEXT}, timeout=10)
    assert sent.status_code == 204, sent.text
    cloud.run(cloud.created(key))

    status, shown = cloud.ask("GET", f"/assets/{asset}")
    assert (status, shown["asset"]["status"], shown["asset"]["file_is_here"]) == (200, "stored", True)
    assert [segment["metadata"]["text"] for segment in shown["segments"]] == [TEXT.decode()]
    assert [each["object_id"] for each in cloud.ask("GET", "/assets")[1]["assets"]] == [asset]
    status, found = cloud.ask("POST", "/compare", {"query": "swallow in summer", "top_k": 1})
    assert status == 200, found
    assert [(entry["dimension"], entry["hits"][0]["key"]) for entry in found["entries"]] == [
        (dimension, f"{asset}_segment_0") for dimension in DIMENSIONS
    ]
    status, address = cloud.ask("GET", f"/media/{asset}")
    assert status == 302
    part = requests.get(address, headers={"range": "bytes=4-10"}, timeout=10)
    assert (part.status_code, part.content) == (206, TEXT[4:11])

    assert cloud.ask("DELETE", f"/assets/{asset}")[0] == 202
    assert requests.get(address, timeout=10).status_code in {403, 404}  # 403 from who does not tell
    cloud.told_deleted(key)
    assert cloud.ask("GET", f"/assets/{asset}")[0] == 404
    assert cloud.ask("GET", "/assets")[1]["total"] == 0
    assert not any(cloud.keys().values())


STEPS = (("GET", "/assets"), ("GET", "/assets/{asset}"), ("GET", "/media/{asset}"), ("DELETE", "/assets/{asset}"))


@pytest.mark.parametrize(
    ("action", "failing"),
    [
        ("s3:ListBucket", {"/assets"}),
        ("s3:GetObject", {"/assets", "/assets/{asset}", "/media/{asset}"}),
        ("s3:DeleteObject", {"/assets/{asset}"}),
    ],
)
def test_every_grant_on_objects_is_needed(cloud: Cloud, deployment: Deployment, action: str, failing: set[str]) -> None:
    """Without any one of them the requests that need it fail, and say so."""
    if not deployment.synthesised:
        pytest.skip("aws_cdk is not installed")
    asset = object_id(cloud.upload("a.txt", TEXT))
    kept = [
        {**statement, "Action": [each for each in statement["Action"] if each != action]}
        for statement in deployment.statements["api"]
    ]
    cloud.deployment = dataclasses.replace(deployment, statements={**deployment.statements, "api": kept})
    failed = {path for method, path in STEPS if cloud.ask(method, path.format(asset=asset))[0] >= 500}
    assert failing <= failed
