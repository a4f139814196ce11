"""What each operation needs: with its actions it works, without any one of them it is 403."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3
import botocore
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from s3vectors_local import boto, iam
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.model import NewVector
from s3vectors_local.operations import OPERATIONS, access

ACCOUNT = "000000000000"
BUCKET = f"arn:aws:s3vectors:us-east-1:{ACCOUNT}:bucket/demo"
FLAT = f"{BUCKET}/index/flat"
NEW = f"arn:aws:s3vectors:us-east-1:{ACCOUNT}:bucket/new"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"

SESSION = boto3.session.Session()
UNSIGNED = Config(signature_version=botocore.UNSIGNED)

IN_BUCKET = {"vectorBucketName": "demo"}
IN_INDEX = {**IN_BUCKET, "indexName": "flat"}
INDEX = {"dataType": "float32", "dimension": 2, "distanceMetric": "cosine"}
ONE = {"key": "k", "data": {"float32": [1, 2]}}
QUERY = {"topK": 1, "queryVector": {"float32": [1, 2]}}
TEXTS = [{"metadataKey": "text", "text": "word"}]
POLICY = {"policy": '{"Statement":[]}'}

# Operation, members, the actions that it needs, and on which resource.
CASES: list[tuple[str, Mapping[str, Any], Sequence[str], str]] = [
    ("create_vector_bucket", {"vectorBucketName": "new"}, ["CreateVectorBucket"], NEW),
    ("create_vector_bucket", {"vectorBucketName": "new", "tags": {}}, ["CreateVectorBucket"], NEW),
    (
        "create_vector_bucket",
        {"vectorBucketName": "new", "tags": {"a": "b"}},
        ["CreateVectorBucket", "TagResource"],
        NEW,
    ),
    ("get_vector_bucket", IN_BUCKET, ["GetVectorBucket"], BUCKET),
    ("get_vector_bucket", {"vectorBucketArn": BUCKET}, ["GetVectorBucket"], BUCKET),
    ("list_vector_buckets", {}, ["ListVectorBuckets"], "*"),
    ("delete_vector_bucket", {"vectorBucketName": "empty"}, ["DeleteVectorBucket"], BUCKET.replace("demo", "empty")),
    ("put_vector_bucket_policy", IN_BUCKET | POLICY, ["PutVectorBucketPolicy"], BUCKET),
    (
        "get_vector_bucket_policy",
        {"vectorBucketName": "empty"},
        ["GetVectorBucketPolicy"],
        BUCKET.replace("demo", "empty"),
    ),
    ("delete_vector_bucket_policy", IN_BUCKET, ["DeleteVectorBucketPolicy"], BUCKET),
    (
        "put_vector_bucket_default_index_mode",
        IN_BUCKET | {"defaultIndexMode": "ENHANCED"},
        ["PutVectorBucketDefaultIndexMode"],
        BUCKET,
    ),
    ("create_index", IN_BUCKET | INDEX | {"indexName": "new"}, ["CreateIndex"], f"{BUCKET}/index/new"),
    (
        "create_index",
        IN_BUCKET | INDEX | {"indexName": "new", "tags": {"a": "b"}},
        ["CreateIndex", "TagResource"],
        f"{BUCKET}/index/new",
    ),
    ("get_index", {"indexArn": FLAT}, ["GetIndex"], FLAT),
    ("list_indexes", IN_BUCKET, ["ListIndexes"], BUCKET),
    ("delete_index", IN_INDEX, ["DeleteIndex"], FLAT),
    ("update_index_mode", IN_INDEX | {"indexMode": "ENHANCED"}, ["UpdateIndexMode"], FLAT),
    ("put_vectors", IN_INDEX | {"vectors": [ONE]}, ["PutVectors"], FLAT),
    ("get_vectors", IN_INDEX | {"keys": ["k"]}, ["GetVectors"], FLAT),
    ("delete_vectors", IN_INDEX | {"keys": ["k"]}, ["DeleteVectors"], FLAT),
    ("list_vectors", IN_INDEX, ["ListVectors"], FLAT),
    ("list_vectors", IN_INDEX | {"returnData": False, "returnMetadata": False}, ["ListVectors"], FLAT),
    ("list_vectors", IN_INDEX | {"returnData": True}, ["ListVectors", "GetVectors"], FLAT),
    ("list_vectors", IN_INDEX | {"returnMetadata": True}, ["ListVectors", "GetVectors"], FLAT),
    ("query_vectors", IN_INDEX | QUERY, ["QueryVectors"], FLAT),
    ("query_vectors", IN_INDEX | QUERY | {"returnDistance": True}, ["QueryVectors"], FLAT),
    ("query_vectors", IN_INDEX | QUERY | {"returnMetadata": True}, ["QueryVectors", "GetVectors"], FLAT),
    ("query_vectors", IN_INDEX | QUERY | {"filter": {"a": 1}}, ["QueryVectors", "GetVectors"], FLAT),
    ("query_vectors", IN_INDEX | {"topK": 1, "queryTexts": TEXTS}, ["QueryVectors", "GetVectors"], FLAT),
    (
        "update_metadata_configuration",
        IN_INDEX | {"add": {"textSearchConfigurations": [{"metadataKey": "more"}]}},
        ["UpdateMetadataConfiguration"],
        FLAT,
    ),
    ("tag_resource", {"resourceArn": FLAT, "tags": {"a": "b"}}, ["TagResource"], FLAT),
    ("untag_resource", {"resourceArn": BUCKET, "tagKeys": ["a"]}, ["UntagResource"], BUCKET),
    ("list_tags_for_resource", {"resourceArn": FLAT}, ["ListTagsForResource"], FLAT),
]


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """Add a vector, and a bucket without an index whose policy forbids nothing."""
    engine.put_vectors("demo", "flat", [NewVector("k", np.array([1, 2], np.float32), {"a": 1})])
    engine.create_bucket("empty")
    engine.put_policy("empty", POLICY["policy"])
    _client(engine).update_metadata_configuration(
        **IN_INDEX, add={"textSearchConfigurations": [{"metadataKey": "text"}]}
    )
    return engine


def _allow(actions: Sequence[str], resource: str, **more: Any) -> dict[str, Any]:
    return {
        "Statement": [
            {"Effect": "Allow", "Action": f"s3vectors:{each}", "Resource": resource, **more} for each in actions
        ]
    }


def _client(engine: Engine, *, policy: Any = None) -> Any:
    """Return a client, under a policy or not, from one session: loading the service model takes longest."""
    made = SESSION.client("s3vectors", region_name="us-east-1", config=UNSIGNED)
    boto.attach(made, engine, caller=iam.caller(f"arn:aws:iam::{ACCOUNT}:user/in-process", policy=policy))
    return made


def _status(engine: Engine, policy: Any, operation: str, members: Mapping[str, Any]) -> int:
    return _outcome(_client(engine, policy=policy), operation, members)[0]


def _outcome(client: Any, operation: str, members: Mapping[str, Any]) -> tuple[int, str]:
    try:
        return getattr(client, operation)(**members)["ResponseMetadata"]["HTTPStatusCode"], ""
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Message"]


@pytest.mark.parametrize(("operation", "members", "actions", "resource"), CASES, ids=str)
def test_needed(
    engine: Engine, operation: str, members: Mapping[str, Any], actions: Sequence[str], resource: str
) -> None:
    """Each action is needed, on this resource and no other; together they are enough."""
    for missing in actions:
        others = [each for each in access.ACTIONS if each != f"s3vectors:{missing}"]
        policy = {"Statement": {"Effect": "Allow", "Action": others, "Resource": "*"}}
        status, message = _outcome(_client(engine, policy=policy), operation, members)
        assert status == 403
        assert f"to perform: s3vectors:{missing} on resource: {resource} because" in message
    elsewhere = f"arn:aws:s3vectors:us-east-1:{ACCOUNT}:bucket/other*"
    assert _status(engine, _allow(actions, elsewhere), operation, members) == 403
    assert _status(engine, _allow(actions, resource), operation, members) == 200


def test_every_operation_has_its_actions() -> None:
    """An operation that is answered is in the table of access, and in the cases above."""
    assert {f"s3vectors:{name}" for name in OPERATIONS} <= access.ACTIONS
    tried = {operation.title().replace("_", "") for operation, *_ in CASES}
    assert tried == OPERATIONS


@pytest.mark.parametrize(
    "members", [{"queryTexts": []}, {"filter": {}}, {"returnMetadata": True}, {"returnMetadata": 1}]
)
def test_what_adds_get_vectors(members: Mapping[str, Any]) -> None:
    """QueryVectors gives metadata away by each of these."""
    assert access.needed("QueryVectors", members) == ["QueryVectors", "GetVectors"]
    assert access.needed("QueryVectors", {"filter": None, "returnMetadata": False}) == ["QueryVectors"]


def test_client_under_a_policy(engine: Engine) -> None:
    """`boto.client` takes the policy itself."""
    client = boto.client(engine, policy=_allow(["GetIndex"], FLAT))
    assert _outcome(client, "get_index", IN_INDEX)[0] == 200
    status, message = _outcome(client, "get_vector_bucket", IN_BUCKET)
    assert status == 403
    assert message.startswith(f"User: arn:aws:iam::{ACCOUNT}:user/in-process is not authorized")


def test_unrestricted_by_default(engine: Engine) -> None:
    """Without a policy or a caller everything goes, bucket policies or not."""
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    client = boto.client(engine)
    client.put_vector_bucket_policy(vectorBucketName="demo", policy=json.dumps({"Statement": deny}))
    assert client.get_index(**IN_INDEX)
    caller = iam.caller(f"arn:aws:iam::{ACCOUNT}:role/a")
    assert _outcome(boto.client(engine, caller=caller), "get_index", IN_INDEX)[0] == 403


def test_refused_requests_touch_nothing(engine: Engine) -> None:
    """A refused write has written nothing, a refused creation made nothing."""
    client = _client(engine, policy=_allow(["GetVectors"], "*"))
    for operation, members, *_ in CASES:
        if operation != "get_vectors":
            assert _outcome(client, operation, members)[0] == 403
    assert [bucket.name for bucket in engine.list_buckets().items] == ["demo", "empty"]
    assert engine.get_index("demo", "flat").count == 1
    assert engine.get_tags(FLAT) == {}


@pytest.mark.parametrize(
    ("operation", "members", "condition", "expected"),
    [
        ("CreateVectorBucket", {"encryptionConfiguration": {"sseType": "aws:kms", "kmsKeyArn": KEY}}, "kms", True),
        ("CreateVectorBucket", {"encryptionConfiguration": {"sseType": "AES256"}}, "kms", False),
        ("CreateVectorBucket", {}, "kms", False),
        ("CreateVectorBucket", {"encryptionConfiguration": {"sseType": "aws:kms", "kmsKeyArn": KEY}}, "key", True),
        (
            "CreateVectorBucket",
            {"encryptionConfiguration": {"sseType": "aws:kms", "kmsKeyArn": KEY + "2"}},
            "key",
            False,
        ),
        ("CreateVectorBucket", {"tags": {"Team": "search"}}, "request tag", True),
        ("CreateVectorBucket", {"tags": {"team": "other", "TEAM": "search"}}, "request tag", False),
        ("CreateVectorBucket", {"tags": {"other": "search"}}, "request tag", False),
        ("CreateVectorBucket", {"tags": {"team": "search"}}, "tag keys", True),
        ("CreateVectorBucket", {"tags": {"team": "search", "more": ""}}, "tag keys", False),
    ],
)
def test_conditions_on_creation(
    engine: Engine, operation: str, members: Mapping[str, Any], condition: str, expected: bool
) -> None:
    """Encryption and tags of the request decide; names of keys in either case, the exact one first."""
    conditions = {
        "kms": {"StringEquals": {"s3vectors:sseType": "aws:kms"}},
        "key": {"ArnEquals": {"s3vectors:kmsKeyArn": KEY}},
        "request tag": {"StringEquals": {"aws:RequestTag/team": "search"}},
        "tag keys": {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}, "Null": {"aws:TagKeys": "false"}},
    }
    policy = _allow([operation, "TagResource"], "*", Condition=conditions[condition])
    request = {"vectorBucketName": "new", **members}
    assert (_status(engine, policy, "create_vector_bucket", request) == 200) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("aws:ResourceTag/team", {"index": 200, "bucket": 403}),
        ("s3vectors:VectorBucketTag/owner", {"index": 200, "bucket": 200}),
        ("aws:ResourceTag/owner", {"index": 403, "bucket": 200}),
    ],
)
def test_conditions_on_tags(engine: Engine, key: str, expected: Mapping[str, int]) -> None:
    """Tags of the resource itself, and of the bucket that it is in; what does not exist has none."""
    engine.put_tags(FLAT, {"team": "x"})
    engine.put_tags(BUCKET, {"owner": "x"})
    policy = _allow(["GetIndex", "GetVectorBucket"], "*", Condition={"StringEquals": {key: "x"}})
    found = {
        "index": _status(engine, policy, "get_index", IN_INDEX),
        "bucket": _status(engine, policy, "get_vector_bucket", IN_BUCKET),
    }
    assert found == expected
    assert _status(engine, policy, "get_vector_bucket", {"vectorBucketName": "absent"}) == 403


def test_condition_on_removed_tags(engine: Engine) -> None:
    """The keys that UntagResource removes are aws:TagKeys."""
    condition = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}
    policy = _allow(["UntagResource"], FLAT, Condition=condition)
    assert _status(engine, policy, "untag_resource", {"resourceArn": FLAT, "tagKeys": ["a"]}) == 200
    assert _status(engine, policy, "untag_resource", {"resourceArn": FLAT, "tagKeys": ["a", "b"]}) == 403


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn:aws:iam::{ACCOUNT}:user/ann"),
        (f"arn:aws:iam::{ACCOUNT}:role/team/query", f"arn:aws:iam::{ACCOUNT}:role/team/query"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/query/lambda", f"arn:aws:iam::{ACCOUNT}:role/query"),
    ],
)
def test_conditions_on_the_principal(engine: Engine, arn: str, principal: str) -> None:
    """A session is known to conditions by its role."""
    for wanted, expected in ((principal, 200), (f"{principal}x", 403)):
        condition = {"ArnEquals": {"aws:PrincipalArn": wanted}, "StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
        client = SESSION.client("s3vectors", region_name="us-east-1", config=UNSIGNED)
        policy = _allow(["GetIndex"], "*", Condition=condition)
        boto.attach(client, engine, caller=iam.caller(arn, policy=policy))
        assert _outcome(client, "get_index", IN_INDEX)[0] == expected


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:ResourceAccount": ACCOUNT}}, 200),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, 403),
        ({"Bool": {"aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false"}}, 200),
        ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, 403),
        ({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, 200),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, 403),
        ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, 200),
        ({"StringEquals": {"aws:PrincipalTag/team": "a"}}, 403),
        ({"Null": {"aws:SourceIp": "true"}}, 200),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, 403),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, 200),
    ],
    ids=str,
)
def test_conditions_on_where_it_comes_from(engine: Engine, condition: Mapping[str, Any], status: int) -> None:
    """What a request of this process has, and what none here ever has: that is missing, as IAM counts it."""
    assert _status(engine, _allow(["GetIndex"], "*", Condition=condition), "get_index", IN_INDEX) == status


def test_a_bucket_policy_for_services(engine: Engine) -> None:
    """A statement about services, or identities of elsewhere, is kept, and is about nobody here."""
    statement = {"Effect": "Deny", "Action": "s3vectors:*", "Resource": "*"}
    for whom in ({"Service": "lambda.amazonaws.com"}, {"Federated": "x.example"}, {"CanonicalUser": ["a", "b"]}):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Principal": whom}]})
        boto.client(engine).put_vector_bucket_policy(vectorBucketName="demo", policy=policy)
        assert boto.client(engine).get_vector_bucket_policy(vectorBucketName="demo")["policy"] == policy
        assert _status(engine, _allow(["GetIndex"], "*"), "get_index", IN_INDEX) == 200


@pytest.mark.parametrize("secure", [True, False])
def test_transport(engine: Engine, secure: bool) -> None:
    """aws:SecureTransport is false over plain HTTP, true in this process."""
    policy = _allow(["GetIndex"], "*", Condition={"Bool": {"aws:SecureTransport": secure}})
    assert (_status(engine, policy, "get_index", IN_INDEX) == 200) is secure


@pytest.mark.parametrize(
    ("operation", "members", "status"),
    [
        ("get_index", {"indexArn": FLAT.replace(ACCOUNT, "1" * 12)}, 403),
        ("get_vector_bucket", {"vectorBucketArn": BUCKET.replace("us-east-1", "eu-west-1")}, 403),
        ("list_tags_for_resource", {"resourceArn": "arn:aws:s3:::demo"}, 400),
        ("get_index", {"indexArn": FLAT, "indexName": "flat", "vectorBucketName": "demo"}, 400),
        ("get_vector_bucket", {"vectorBucketName": "demo/index/flat"}, 403),
    ],
)
def test_what_is_not_here(engine: Engine, operation: str, members: Mapping[str, Any], status: int) -> None:
    """An ARN of elsewhere is refused like any other; a request that names nothing is not valid."""
    policy = _allow(["GetIndex", "GetVectorBucket", "ListTagsForResource"], f"{BUCKET}*")
    assert _status(engine, policy if status == 400 else _allow(["GetIndex"], FLAT), operation, members) == status


def test_bucket_of_the_same_name_elsewhere(engine: Engine) -> None:
    """An ARN of another account or region never means what is here: neither the bucket's policy nor the index."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3vectors:*", "Resource": "*"}
    engine.put_policy("demo", json.dumps({"Statement": statement}))
    assert _status(engine, [], "get_index", {"indexArn": FLAT}) == 200
    for arn in (FLAT.replace(ACCOUNT, "1" * 12), FLAT.replace("us-east-1", "eu-west-1")):
        assert _status(engine, [], "get_index", {"indexArn": arn}) == 403
        assert _status(engine, None, "get_index", {"indexArn": arn}) == 404
        assert _status(engine, None, "get_vectors", {"indexArn": arn, "keys": ["k"]}) == 404


def test_old_policy_of_a_bucket(engine: Engine) -> None:
    """A policy kept by a release that did not read them: whoever is under policies is refused, nobody else."""
    engine.put_policy("demo", '{"Statement": {"Effect": "Block"}}')
    message = _outcome(_client(engine, policy=_allow(["GetIndex"], "*")), "get_index", IN_INDEX)[1]
    assert message.endswith("with an explicit deny in a resource-based policy")
    assert "no identity-based policy" in _outcome(_client(engine, policy=[]), "get_index", IN_INDEX)[1]
    assert boto.client(engine).get_index(**IN_INDEX)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must be an object"),
        ('{"Statement": [{"Effect": "Allow"}]}', "Statement[0]: must have either Action or NotAction"),
        (
            '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3vectors:QueryVector", "Resource": "*"}}',
            "Statement[0].Action: s3vectors:QueryVector is no action of s3vectors",
        ),
    ],
)
def test_policy_that_is_not_understood(engine: Engine, policy: str, reason: str) -> None:
    """PutVectorBucketPolicy refuses it, and says where."""
    with pytest.raises(ClientError) as caught:
        boto.client(engine).put_vector_bucket_policy(vectorBucketName="demo", policy=policy)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert reason in caught.value.response["Error"]["Message"]


def test_callers_of_a_client() -> None:
    """A caller is of the engine's account, and comes instead of a policy."""
    with open_engine(None, account="123456789012") as engine:
        make: Callable[..., Any] = boto.client
        with pytest.raises(ValueError, match="not of the engine's account"):
            make(engine, caller=iam.caller(f"arn:aws:iam::{ACCOUNT}:user/a"))
        own = iam.caller("arn:aws:iam::123456789012:user/a")
        with pytest.raises(TypeError):
            make(engine, caller=own, policy={})
        with pytest.raises(iam.PolicyFault):
            make(engine, policy={})
        assert make(engine, caller=own).list_vector_buckets()["vectorBuckets"] == []
