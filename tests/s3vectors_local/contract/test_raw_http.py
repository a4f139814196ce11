"""What a client library would refuse to send reaches the server here, and the server outlives it."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from s3vectors_local import limits

LIMIT = limits.BODY_BYTES


class Raw:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        """Connect to a port of this machine."""
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def __call__(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str | None, Any]:
        """Return status, error type and parsed body."""
        self.connection.request(method, path, body)
        response = self.connection.getresponse()
        content = response.read()
        assert response.getheader("content-type") == "application/json"
        return response.status, response.getheader("x-amzn-errortype"), json.loads(content) if content else None

    def post(self, operation: str, **members: Any) -> tuple[int, str | None, Any]:
        """Post an operation."""
        return self("POST", f"/{operation}", json.dumps(members).encode())


@pytest.fixture
def raw(served: int) -> Iterator[Raw]:
    """Give a connection to the server, which must still answer at the end."""
    client = Raw(served)
    yield client
    assert client("GET", "/health") == (200, None, {"status": "ok"})
    client.connection.close()


@pytest.fixture
def address(raw: Raw) -> dict[str, str]:
    """Give a new index of 2 components."""
    found = {"vectorBucketName": f"raw-{uuid4()}", "indexName": "items"}
    raw.post("CreateVectorBucket", vectorBucketName=found["vectorBucketName"])
    assert raw.post("CreateIndex", **found, dataType="float32", dimension=2, distanceMetric="euclidean")[0] == 200
    return found


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"1", b"null", b"\xff\xfe", b'{"a": NaN}', b'{"a": 1e400}', b"{} {}", b"[" * 5000],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("path", ["/ListVectorBuckets", "/PutVectors", "/tags/arn"])
def test_not_a_json_object(raw: Raw, path: str, body: bytes) -> None:
    """A body that is no JSON object is a SerializationException."""
    status, kind, content = raw("POST", path, body)
    assert (status, kind) == (400, "SerializationException")
    assert content["message"]


def test_no_body(raw: Raw) -> None:
    """A request without a body has no members."""
    assert raw("POST", "/ListVectorBuckets")[0] == 200
    assert raw("POST", "/GetVectorBucket")[1] == "ValidationException"


@pytest.mark.parametrize("place", ["key", "metadata value", "metadata key", "element", "filter"])
def test_lone_surrogate(raw: Raw, address: dict[str, str], place: str) -> None:
    """Half a surrogate pair anywhere refuses the whole request; a whole pair is a character."""
    forms = {
        "key": '"vectors":[{"key":"%s","data":{"float32":[1,2]}}]',
        "metadata value": '"vectors":[{"key":"k","data":{"float32":[1,2]},"metadata":{"a":"%s"}}]',
        "metadata key": '"vectors":[{"key":"k","data":{"float32":[1,2]},"metadata":{"%s":"a"}}]',
        "element": '"vectors":[{"key":"k","data":{"float32":[1,2]},"metadata":{"a":["%s"]}}]',
        "filter": '"topK":1,"queryVector":{"float32":[1,2]},"filter":{"a":"%s"}',
    }
    names = json.dumps(address)[1:-1]
    operation = "QueryVectors" if place == "filter" else "PutVectors"
    for escaped, expected in (("\\ud800", 400), ("x\\udc00", 400), ("\\ud83d\\ude00", 200)):
        status, kind, _ = raw("POST", f"/{operation}", f"{{{names},{forms[place].replace('%s', escaped)}}}".encode())
        assert (status, kind) == (expected, "SerializationException" if expected == 400 else None)


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("CreateVectorBucket", {"vectorBucketName": 1}),
        ("CreateVectorBucket", {"vectorBucketName": "abc", "tags": ["a"]}),
        ("CreateVectorBucket", {"vectorBucketName": "abc", "tags": {"a": 1}}),
        ("CreateVectorBucket", {"vectorBucketName": "abc", "encryptionConfiguration": "AES256"}),
        ("ListVectorBuckets", {"maxResults": "5"}),
        ("ListVectorBuckets", {"maxResults": 5.5}),
        ("ListVectorBuckets", {"maxResults": True}),
        ("ListVectors", {"returnData": "yes"}),
        ("ListVectors", {"returnData": 1}),
        ("GetVectors", {"keys": "k"}),
        ("GetVectors", {"keys": [1]}),
        ("GetVectors", {"keys": [None]}),
        ("PutVectors", {"vectors": {}}),
        ("PutVectors", {"vectors": ["k"]}),
        ("PutVectors", {"vectors": [{"key": "k", "data": [1, 2]}]}),
        ("PutVectors", {"vectors": [{"key": "k", "data": {"float32": "AAAA"}}]}),
        ("PutVectors", {"vectors": [{"key": "k", "data": {"float32": [1, "2"]}}]}),
        ("PutVectors", {"vectors": [{"key": "k", "data": {"float32": [1, None]}}]}),
        ("PutVectors", {"vectors": [{"key": "k", "data": {"float32": [1, True]}}]}),
        ("PutVectors", {"vectors": [{"key": "k", "data": {"float32": [[1, 2]]}}]}),
        ("QueryVectors", {"topK": "3", "queryVector": {"float32": [1, 2]}}),
        ("QueryVectors", {"topK": 3, "queryVector": [1, 2]}),
    ],
    ids=str,
)
def test_wrong_type(raw: Raw, address: dict[str, str], operation: str, members: dict[str, Any]) -> None:
    """A member of the wrong JSON type is a SerializationException, and nothing is stored."""
    names = {} if "Bucket" in operation else address
    status, kind, _ = raw.post(operation, **names | members)
    assert (status, kind) == (400, "SerializationException")
    assert raw.post("ListVectors", **address)[2]["vectors"] == []


@pytest.mark.parametrize(
    ("operation", "members", "paths"),
    [
        ("CreateVectorBucket", {}, ["/vectorBucketName"]),
        ("CreateIndex", {}, ["/indexName", "/dataType", "/dimension", "/distanceMetric"]),
        ("PutVectors", {}, ["/vectors"]),
        ("PutVectors", {"vectors": None}, ["/vectors"]),
        ("PutVectors", {"vectors": [{}]}, ["/vectors/0/key", "/vectors/0/data"]),
        ("PutVectors", {"vectors": [{"key": "k", "data": {}}]}, ["/vectors/0/data/float32"]),
        ("GetVectors", {}, ["/keys"]),
        ("DeleteVectors", {}, ["/keys"]),
        ("QueryVectors", {"queryVector": {"float32": [1, 2]}}, ["/topK"]),
        ("PutVectorBucketPolicy", {}, ["/policy"]),
        ("UpdateIndexMode", {}, ["/indexMode"]),
    ],
    ids=str,
)
def test_missing_member(
    raw: Raw, address: dict[str, str], operation: str, members: dict[str, Any], paths: list[str]
) -> None:
    """A required member that is missing, or null, is told as such; several are counted."""
    of_bucket = {"vectorBucketName": address["vectorBucketName"]}
    names = {"CreateVectorBucket": {}, "CreateIndex": of_bucket, "PutVectorBucketPolicy": of_bucket}
    status, kind, content = raw.post(operation, **names.get(operation, address) | members)
    assert (status, kind) == (400, "ValidationException")
    assert [field["path"] for field in content["fieldList"]] == paths
    assert content["message"].count("Member must not be null") == len(paths)


@pytest.mark.parametrize(
    ("operation", "members", "paths"),
    [
        (
            "CreateVectorBucket",
            {
                "vectorBucketName": "ab",
                "encryptionConfiguration": {"sseType": "x", "kmsKeyArn": ""},
                "tags": {"#": "#"},
            },
            [
                "/vectorBucketName",
                "/encryptionConfiguration/sseType",
                "/encryptionConfiguration/kmsKeyArn",
                "/encryptionConfiguration/kmsKeyArn",
                "/tags",
                "/tags/#",
            ],
        ),
        (
            "CreateIndex",
            {
                "vectorBucketName": "ab",
                "encryptionConfiguration": {"sseType": "x"},
                "metadataConfiguration": {"textSearchConfigurations": [{"metadataKey": "", "language": "xx"}]},
                "tags": {"": ""},
            },
            [
                "/indexName",
                "/dataType",
                "/dimension",
                "/distanceMetric",
                "/metadataConfiguration/textSearchConfigurations/0/metadataKey",
                "/metadataConfiguration/textSearchConfigurations/0/language",
                "/encryptionConfiguration/sseType",
                "/tags",
                "/vectorBucketName",
            ],
        ),
        (
            "ListVectors",
            {"indexArn": "x", "maxResults": 0, "nextToken": "", "segmentCount": 0, "segmentIndex": 16},
            ["/maxResults", "/nextToken", "/segmentCount", "/segmentIndex", "/indexArn"],
        ),
        (
            "QueryVectors",
            {"indexArn": "x", "topK": 0, "queryVector": {}, "queryMode": "x", "nextToken": "", "queryTexts": [{}]},
            [
                "/topK",
                "/queryVector/float32",
                "/queryMode",
                "/nextToken",
                "/queryTexts/0/text",
                "/queryTexts/0/metadataKey",
                "/indexArn",
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_all_violations_are_told(raw: Raw, operation: str, members: dict[str, Any], paths: list[str]) -> None:
    """Everything that is out of bounds in a request is counted and told at once."""
    status, kind, content = raw.post(operation, **members)
    assert (status, kind) == (400, "ValidationException")
    assert [field["path"] for field in content["fieldList"]] == paths
    assert content["message"].startswith(f"{len(paths)} validation errors detected. ")
    assert content["message"].count("; ") == len(paths) - 1


def test_type_in_the_body_too(raw: Raw) -> None:
    """The error's type is in the body as well, for clients that lose headers."""
    assert raw("POST", "/Nope")[2]["__type"] == "UnknownOperationException"
    assert raw.post("GetVectorBucket", vectorBucketName="not-there")[2] == {
        "__type": "NotFoundException",
        "message": "The specified vector bucket could not be found",
    }


def test_wrong_type_is_told_by_its_place(raw: Raw, address: dict[str, str]) -> None:
    """The sentence names the member, what it must be and what it is."""
    vector = {"key": "k", "data": {"float32": [1, None]}}
    content = raw.post("PutVectors", **address, vectors=[vector])[2]
    assert content["message"] == "Value at '/vectors/0/data/float32/1' must be a number, not null"
    content = raw.post("QueryVectors", **address, topK=10.0)[2]
    assert content["message"] == "Value at '/topK' must be an integer, not a number with a fraction"


def test_unknown_members_are_ignored(raw: Raw, address: dict[str, str]) -> None:
    """A member of some later model does no harm."""
    vector = {"key": "k", "data": {"float32": [1, 2], "float64": [1]}, "later": {}}
    assert raw.post("PutVectors", **address, vectors=[vector], later=[1])[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ListVectorBuckets"),
        ("PUT", "/PutVectors"),
        ("DELETE", "/DeleteIndex"),
        ("POST", "/"),
        ("POST", "/Nope"),
        ("POST", "/listvectorbuckets"),
        ("POST", "/ListVectorBuckets/"),
        ("POST", "//ListVectorBuckets"),
        ("POST", "/%2FListVectorBuckets"),
        ("POST", "/TagResource"),
        ("POST", "/tags"),
        ("OPTIONS", "/PutVectors"),
        ("GET", "/"),
        ("PUT", "/tags/arn"),
        ("POST", "/health"),
        ("GET", "/%00"),
        ("GET", "/../../etc/passwd"),
    ],
)
def test_unknown_operation(raw: Raw, method: str, path: str) -> None:
    """A path or verb that is no operation is 404."""
    status, kind, content = raw(method, path)
    assert (status, kind) == (404, "UnknownOperationException")
    assert content["message"]


def test_encoded_path(raw: Raw) -> None:
    """Letters in a path may be percent-encoded, as in any URL; what follows a question mark does not matter."""
    assert raw("POST", "/%4cistVector%42uckets")[0] == 200
    assert raw("POST", "/ListVectorBuckets?a=b")[0] == 200


def test_head_has_no_body(raw: Raw) -> None:
    """HEAD of the health page is its status alone."""
    raw.connection.request("HEAD", "/health")
    response = raw.connection.getresponse()
    assert (response.status, response.read()) == (200, b"")


def test_tag_path_is_decoded(raw: Raw, address: dict[str, str]) -> None:
    """The ARN in the path may be percent-encoded or not; keys in the query string are decoded."""
    arn = f"arn:aws:s3vectors:us-east-1:000000000000:bucket/{address['vectorBucketName']}"
    plain, encoded = f"/tags/{arn}", "/tags/" + arn.replace(":", "%3A").replace("/", "%2f")
    assert raw("POST", encoded, b'{"tags":{"a b":"1","c+d":"2","e":"3"}}')[0] == 200
    assert raw("DELETE", f"{plain}?tagKeys=a%20b&tagKeys=c%2Bd")[0] == 200
    assert raw("GET", plain)[2] == {"tags": {"e": "3"}}
    assert raw("DELETE", plain)[1] == "ValidationException"
    assert raw("GET", "/tags/" + "x" * 1012)[1] == "ValidationException"


def test_largest_body(raw: Raw) -> None:
    """A body of exactly 20 MiB is accepted, one byte more is a ValidationException."""
    assert raw("POST", "/ListVectorBuckets", _body_of(LIMIT))[0] == 200
    status, kind, content = raw("POST", "/ListVectorBuckets", _body_of(LIMIT + 1))
    assert (status, kind) == (400, "ValidationException")
    assert content["message"] == "Request body exceeds max allowed size"


def _body_of(size: int) -> bytes:
    return b'{"x":"' + b"a" * (size - 8) + b'"}'


def test_largest_body_in_chunks(raw: Raw) -> None:
    """The limit holds for a body of undeclared length too."""
    raw.connection.request("POST", "/ListVectorBuckets", iter([b" " * (1 << 20)] * 21), encode_chunked=True)
    response = raw.connection.getresponse()
    assert (response.status, response.getheader("x-amzn-errortype")) == (400, "ValidationException")
    response.read()


def test_rubbish_is_survived(raw: Raw) -> None:
    """What is not even HTTP, and a client that goes away in the middle, leave the server answering."""
    for rubbish in (b"\x00\xff\r\n\r\n", b"POST /PutVectors HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", raw.port)) as connection:
            connection.sendall(rubbish)
    assert raw("POST", "/ListVectorBuckets")[0] == 200
