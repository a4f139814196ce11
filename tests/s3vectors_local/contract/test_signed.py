"""A server with credentials: plain boto3 signs, policies decide, and what is altered on the way is refused."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from s3vectors_local import credentials
from s3vectors_local.engine import Engine
from s3vectors_local.entrance import Entrance
from s3vectors_local.server import Options

ACCOUNT = "000000000000"
BUCKET = f"arn:aws:s3vectors:us-east-1:{ACCOUNT}:bucket/demo"
READER = f"arn:aws:iam::{ACCOUNT}:role/reader"
READS = {"Statement": {"Effect": "Allow", "Action": "s3vectors:Get*", "Resource": f"{BUCKET}/index/*"}}
CREDENTIALS = [
    {"access_key_id": "ADMIN", "secret_access_key": "secret-of-admin"},
    {"access_key_id": "READER", "secret_access_key": "secret-of-reader", "principal": READER, "policy": READS},
    {"access_key_id": "SESSION", "secret_access_key": "secret-of-session", "session_token": "the-token"},
]


@pytest.fixture
def port(engine: Engine, serve: Any, tmp_path: Path) -> Iterator[int]:
    """Give the port of a server with three credentials."""
    (tmp_path / "c.json").write_text(json.dumps(CREDENTIALS))
    keyring = credentials.read(tmp_path / "c.json", region="us-east-1", account=ACCOUNT)
    with serve(engine, Options(Entrance(keyring))) as server:
        yield server.port


def _client(port: int, key: str = "ADMIN", secret: str | None = None, **more: Any) -> Any:
    return boto3.client(
        "s3vectors",
        endpoint_url=f"http://127.0.0.1:{port}",
        config=Config(retries={"total_max_attempts": 1}),
        aws_access_key_id=key,
        aws_secret_access_key=secret or f"secret-of-{key.lower()}",
        **{"region_name": "us-east-1", **more},
    )


def _refusal(call: Any, **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_every_operation(port: int) -> None:
    """boto3 signs what this server accepts, whatever the path, the query and the body."""
    client = _client(port)
    assert [each["vectorBucketName"] for each in client.list_vector_buckets()["vectorBuckets"]] == ["demo"]
    index = {"vectorBucketName": "demo", "indexName": "a.b-c"}
    arn = client.create_index(**index, dataType="float32", dimension=2, distanceMetric="cosine")["indexArn"]
    client.put_vectors(**index, vectors=[{"key": "ä ~/+", "data": {"float32": [1, 2]}, "metadata": {"ü": "é"}}])
    client.get_vectors(indexArn=arn, keys=["ä ~/+"], returnData=True)
    client.query_vectors(**index, topK=1, queryVector={"float32": [1, 2]}, filter={"ü": "é"})
    tags = {"a b": "1", "c+d=e/f@g:h": "ü", "~": "x"}
    tags.pop("~")
    client.tag_resource(resourceArn=arn, tags=tags)
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    client.untag_resource(resourceArn=arn, tagKeys=list(tags))
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_session_token(port: int) -> None:
    """A credential with a session token needs it, one without may have none."""
    assert _client(port, "SESSION", aws_session_token="the-token").list_vector_buckets()  # noqa: S106
    for key, token in (("SESSION", None), ("SESSION", "another"), ("ADMIN", "the-token")):
        code, _, status = _refusal(_client(port, key, aws_session_token=token).list_vector_buckets)
        assert (code, status) == ("UnrecognizedClientException", 403)


def test_who_is_not_known(port: int) -> None:
    """Another key, another secret and another region are told apart, by no more than AWS tells."""
    unknown = _refusal(_client(port, "NOBODY", "secret-of-admin").list_vector_buckets)
    assert unknown == ("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
    code, message, status = _refusal(_client(port, "ADMIN", "secret-of-reader").list_vector_buckets)
    assert (code, status) == ("InvalidSignatureException", 403)
    assert message.startswith("The request signature we calculated does not match")
    assert _refusal(_client(port, region_name="eu-west-1").list_vector_buckets)[0] == "InvalidSignatureException"


def _raw(port: int, path: str = "/ListVectorBuckets", body: bytes = b"{}", method: str = "POST", **headers: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {name: value for name, value in headers.items() if value is not None})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.getheader("x-amzn-errortype"), content


def _headers(port: int, path: str = "/ListVectorBuckets", body: bytes = b"{}") -> dict[str, str]:
    request = AWSRequest(
        "POST", f"http://127.0.0.1:{port}{path}", data=body, headers={"content-type": "application/json"}
    )
    SigV4Auth(Credentials("ADMIN", "secret-of-admin"), "s3vectors", "us-east-1").add_auth(request)
    return dict(request.headers)


def test_tampered_on_the_way(port: int) -> None:
    """Of a signed request nothing can be altered."""
    good: dict[str, Any] = _headers(port)
    assert _raw(port, **good)[0] == 200
    for change, code in (
        ({"body": b'{"prefix":"x"}'}, "InvalidSignatureException"),
        ({"path": "/ListVectorBuckets?a=b"}, "InvalidSignatureException"),
        ({"path": "/DeleteVectorBucket"}, "InvalidSignatureException"),
        ({"content-type": "text/plain"}, "InvalidSignatureException"),
        ({"Host": "elsewhere"}, "InvalidSignatureException"),
        ({"X-Amz-Date": "20200101T000000Z"}, "InvalidSignatureException"),
        ({"X-Amz-Date": None}, "IncompleteSignatureException"),
        ({"Authorization": "Bearer x"}, "IncompleteSignatureException"),
        ({"Authorization": None}, "MissingAuthenticationTokenException"),
        ({"x-amz-security-token": "x"}, "UnrecognizedClientException"),
    ):
        assert _raw(port, **{**good, **change})[:2] == (403, code), change


def test_health_and_metrics_are_not_signed(port: int) -> None:
    """On loopback health and metrics are there for whoever asks; metrics name no index then."""
    assert _raw(port, "/health", b"", "GET")[0] == 200
    status, _, text = _raw(port, "/metrics", b"", "GET")
    assert status == 200
    assert b"flat" not in text
    assert _raw(port, "/metrics", b"", "GET", Host="rebound.example")[0] == 403


def test_denied(port: int) -> None:
    """The sentence names user, action and resource; and it is one, whether the resource exists or not."""
    reader = _client(port, "READER")
    expected = (
        "AccessDeniedException",
        (
            f"User: {READER} is not authorized to perform: s3vectors:QueryVectors on resource: {BUCKET}/index/flat "
            "because no identity-based policy allows the s3vectors:QueryVectors action"
        ),
        403,
    )
    search = {"topK": 1, "queryVector": {"float32": [1, 2]}}
    assert _refusal(reader.query_vectors, vectorBucketName="demo", indexName="flat", **search) == expected
    absent = _refusal(reader.query_vectors, vectorBucketName="demo", indexName="absent", **search)
    assert absent[1] == expected[1].replace("flat", "absent")
    for name in ("demo", "never-made"):
        assert _refusal(reader.get_vector_bucket, vectorBucketName=name)[2] == 403
        assert _refusal(reader.list_tags_for_resource, resourceArn=BUCKET.replace("demo", name))[2] == 403
    assert reader.get_index(vectorBucketName="demo", indexName="flat")["index"]["indexName"] == "flat"


def test_bucket_policy(port: int) -> None:
    """A Deny of the bucket beats what the identity may; an Allow of it is enough; both are at once in force."""
    admin, reader = _client(port), _client(port, "READER")
    index = {"vectorBucketName": "demo", "indexName": "flat"}
    resource = f"{BUCKET}/index/flat"
    deny = {"Effect": "Deny", "Principal": {"AWS": READER}, "Action": "s3vectors:GetIndex", "Resource": resource}
    allow = {**deny, "Effect": "Allow", "Action": "s3vectors:ListVectors"}
    assert reader.get_index(**index)
    assert _refusal(reader.list_vectors, **index)[2] == 403
    admin.put_vector_bucket_policy(vectorBucketName="demo", policy=json.dumps({"Statement": [deny, allow]}))
    _, message, status = _refusal(reader.get_index, **index)
    assert status == 403
    assert message.endswith(f"on resource: {resource} with an explicit deny in a resource-based policy")
    assert reader.list_vectors(**index)["vectors"] == []
    admin.delete_vector_bucket_policy(vectorBucketName="demo")
    assert reader.get_index(**index)
    assert _refusal(reader.list_vectors, **index)[2] == 403


@pytest.mark.parametrize(("network", "allowed"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
def test_the_address_that_a_request_comes_from(port: int, network: str, *, allowed: bool) -> None:
    """A bucket that may be reached from one network only."""
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3vectors:GetIndex", "Resource": f"{BUCKET}/*"}
    statement = deny | {"Condition": {"NotIpAddress": {"aws:SourceIp": network}}}
    client = _client(port)
    client.put_vector_bucket_policy(vectorBucketName="demo", policy=json.dumps({"Statement": [statement]}))
    try:
        asked = {"vectorBucketName": "demo", "indexName": "flat"}
        if allowed:
            assert client.get_index(**asked)["index"]
        else:
            assert _refusal(client.get_index, **asked)[0] == "AccessDeniedException"
    finally:
        client.delete_vector_bucket_policy(vectorBucketName="demo")


def test_plain_http_is_not_secure(port: int) -> None:
    """A policy that asks for TLS refuses what comes over plain HTTP, whatever a header claims."""
    index = {"vectorBucketName": "demo", "indexName": "flat"}
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": {"AWS": READER}, "Action": "*", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Statement": deny})
    _client(port).put_vector_bucket_policy(vectorBucketName="demo", policy=policy)
    reader = _client(port, "READER")
    assert _refusal(reader.get_index, **index)[2] == 403
    reader.meta.events.register("before-sign.s3vectors", _claim_tls)
    assert _refusal(reader.get_index, **index)[2] == 403
    assert _client(port).get_index(**index)


def _claim_tls(request: AWSRequest, **_: Any) -> None:
    request.headers["X-Forwarded-Proto"] = "https"
