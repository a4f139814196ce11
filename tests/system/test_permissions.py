"""Each function under its own role: what it is granted is enough, and each part of it is needed."""

from typing import Any

import boto3
import pytest
from tests.system.cloud import SECRET, Cloud
from tests.system.deployment import SOURCE, Deployment
from tests.system.roles import BUCKET, CASES, GRANTED, REGION, key_of

from nestor.errors import VectorsDenied


def _small_path(cloud: Cloud) -> None:
    """Store, shrink, ask in every way, forget: all that the functions do in the vector bucket."""
    cloud.upload("a.txt", b"\n\n".join(b"One swallow. " * 60 for _ in range(2)))
    cloud.upload("a.txt", b"One swallow.")
    for body in (
        {"query": "swallow"},
        {"query": "swallow", "filter": {"modality": "text"}, "include_embedding": True},
    ):
        status, answer = cloud.query(body)
        assert status == 200, answer
        assert len(answer["hits"]) == 1
    status, answer = cloud.ask("POST", "/compare", {"query": "swallow", "filter": {"modality": "text"}})
    assert status == 200, answer
    assert [len(entry["hits"]) for entry in answer["entries"]] == [1, 1, 1, 1]
    cloud.delete("a.txt")


def test_templates_grant_what_was_agreed_on(deployment: Deployment) -> None:
    """The synthesised roles hold exactly the actions that are listed here."""
    if not deployment.synthesised:
        pytest.skip("aws_cdk is not installed")
    assert {function: deployment.granted(function) for function in GRANTED} == {
        function: set(actions) for function, actions in GRANTED.items()
    }


def test_granted_is_enough(cloud: Cloud) -> None:
    """With what the roles grant everything works."""
    _small_path(cloud)


@pytest.mark.parametrize(("function", "action"), CASES, ids=str)
def test_every_grant_is_needed(cloud: Cloud, function: str, action: str) -> None:
    """Without any one granted action the path fails, and the failure says so: nothing is taken for empty."""
    cloud.without[function] = action
    with pytest.raises(AssertionError):
        _small_path(cloud)
    failures = [answer for name, answer in cloud.invoked if name == function and "error" in str(answer).lower()]
    if function in {"query_handler", "api"}:
        assert failures[0]["statusCode"] == 502
        return
    if function == "forget":
        cloud.s3.delete_object(Bucket=SOURCE, Key="a.txt")
        with pytest.raises(VectorsDenied, match=action):
            cloud.call("forget", {"uri": f"s3://{SOURCE}/a.txt"})
        return
    assert failures[0]["errorType"] == "VectorsDenied"
    assert action in failures[0]["errorMessage"]
    (letter,) = cloud.letters()
    assert letter["error"]["Error"] == "VectorsDenied"


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "GetIndex": ("get_index", {}),
    "QueryVectors": ("query_vectors", {"topK": 1, "queryVector": {"float32": [1.0] * 256}}),
    "GetVectors": ("get_vectors", {"keys": ["k"]}),
    "ListVectors": ("list_vectors", {}),
    "DeleteVectors": ("delete_vectors", {"keys": ["k"]}),
    "DeleteIndex": ("delete_index", {}),
    "PutVectors": ("put_vectors", {"vectors": [{"key": "k", "data": {"float32": [1.0] * 256}}]}),
}


@pytest.mark.parametrize("function", GRANTED)
def test_the_rest_is_refused(vectors_url: str, function: str) -> None:
    """What is not granted is answered 403, under the credentials of the function itself."""
    client = boto3.client(
        "s3vectors",
        endpoint_url=vectors_url,
        region_name=REGION,
        aws_access_key_id=key_of(function),
        aws_secret_access_key=SECRET,
    )
    for action, (operation, members) in OTHERS.items():
        if f"s3vectors:{action}" in GRANTED[function]:
            continue
        with pytest.raises(client.exceptions.AccessDeniedException):
            getattr(client, operation)(vectorBucketName=BUCKET, indexName="embeddings-256d", **members)
