"""The functions of questions and of the migration under their roles: buckets, queue and table beside the vectors."""

import json
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.exceptions import ClientError
from tests.standins.bedrock import embedding_for
from tests.system.cloud import Cloud, empty_bucket
from tests.system.deployment import BELOW, MORE, PLACEHOLDER, SHADOWS, STATE, TABLE, WORK, Deployment
from tests.system.grants import SERVICES, Grant, NotGranted
from tests.system.roles import ACCOUNT, BUCKET, ELSEWHERE, GRANTED, REGION

from nestor import shadow
from nestor.errors import NestorError, ObjectMissing
from nestor.handlers import _runtime
from nestor.nesting import nest

_PLACED, _WORK, _STATE = (f"arn:aws:s3:::{bucket}" for bucket in (PLACEHOLDER, WORK, STATE))
_QUEUE, _TABLE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{SHADOWS}", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"
_READ_PLACEHOLDER = (Grant("s3:ListBucket", _PLACED), Grant("s3:GetObject", f"{_PLACED}/{BELOW}/*"))

AGREED: Mapping[str, Sequence[Grant]] = {
    "query_handler": (
        *_READ_PLACEHOLDER,
        Grant("dynamodb:GetItem", _TABLE),
        Grant("dynamodb:PutItem", _TABLE),
        Grant("sqs:SendMessage", _QUEUE),
    ),
    "shadow_query": tuple(
        Grant(f"sqs:{operation}", _QUEUE) for operation in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    ),
    "list_placeholder": (*_READ_PLACEHOLDER, Grant("s3:PutObject", f"{_WORK}/migration/*")),
    "migrate_assets": (
        *_READ_PLACEHOLDER,
        Grant("s3:ListBucket", _WORK),
        Grant("s3:GetObject", f"{_WORK}/migration/*"),
        Grant("s3:PutObject", f"{_WORK}/migration/*"),
        Grant("s3:ListBucket", _STATE),
        Grant("s3:GetObject", f"{_STATE}/manifests/*"),
        Grant("s3:PutObject", f"{_STATE}/manifests/*"),
    ),
}
FILM = "s3://films/one.mp4"


@pytest.fixture
def cloud(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return the account with a placeholder, a queue of shadow queries and a table of questions, all empty."""
    monkeypatch.setattr(shadow, "PATIENCE", 20.0)  # S3, queue and table share this process, and may be slow
    empty_bucket(cloud.s3, PLACEHOLDER)
    cloud.sqs.create_queue(QueueName=SHADOWS)
    tables = boto3.client("dynamodb", region_name=REGION)
    if TABLE in tables.list_tables()["TableNames"]:
        tables.delete_table(TableName=TABLE)
    tables.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "question", "AttributeType": "B"}],
        KeySchema=[{"AttributeName": "question", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    cloud.settings |= {"NESTOR_QUESTIONS_TABLE": TABLE, "NESTOR_SHADOW_RATE": "1"}
    return cloud


def _asking(cloud: Cloud) -> None:
    """Ask twice, of two copies of the function, then by scanning the placeholder."""
    _store(cloud, "One swallow.")
    _place(cloud, segments=1)
    for _ in range(2):
        status, answer = cloud.query({"query": "swallow", "dimension": 256})
        assert status == 200, answer
        assert [hit["key"] for hit in answer["hits"]] == ["a_segment_0"]
        _runtime.forget_clients()  # the next one is another copy of the function
    assert len(cloud.bedrock.of("InvokeModel")) == 1
    assert _waiting(cloud) == 2
    status, answer = cloud.query({"query": "swallow", "strategy": "manual"})
    assert status == 200, answer
    assert len(answer["hits"]) == 1


def _asking_again(cloud: Cloud) -> None:
    """Compare one question that waits in the queue."""
    _store(cloud, "One swallow.")
    asked = shadow.Shadowed(
        embedding=embedding_for("swallow"), strategy="direct", dimension=256, top_k=1, coarse=256, candidates=100
    )
    cloud.sqs.send_message(QueueUrl=MORE["NESTOR_SHADOW_URL"], MessageBody=asked.message())
    assert cloud.poll("shadow_query", MORE["NESTOR_SHADOW_URL"]) == {"batchItemFailures": []}
    assert _waiting(cloud) == 0


def _listing(cloud: Cloud) -> None:
    """List a placeholder of one film."""
    _place(cloud, segments=2)
    taken = cloud.call("list_placeholder", {"run": "first"})
    assert (taken["objects"], taken["assets"], taken["batches"]) == (2, 1, 1)
    (line,) = _lines(cloud, "migration/first/batches/00000000.jsonl")
    assert (line["uri"], len(line["paths"])) == (FILM, 2)


def _moving(cloud: Cloud) -> None:
    """Move a film; move it again when one of its two objects goes away after it was listed."""
    _place(cloud, segments=2)
    first = cloud.call("list_placeholder", {"run": "first"})
    batch = {"batch_key": f"{first['prefix']}00000000.jsonl", "embedder": first["embedder"]}
    moved = cloud.call("migrate_assets", batch)
    assert (moved["stored"], moved["segments"], moved["quarantined"]) == (1, 2, 0)
    cloud.s3.delete_object(Bucket=PLACEHOLDER, Key=_key(1))
    moved = cloud.call("migrate_assets", batch)
    assert (moved["stored"], moved["segments"]) == (1, 1)
    assert [each["reason"] for each in moved["damaged"]] == ["missing"]
    assert len(_lines(cloud, "migration/first/damaged/00000000.jsonl")) == 1
    assert [len(keys) for keys in cloud.keys().values()] == [1, 1, 1, 1]
    with pytest.raises(ObjectMissing):
        cloud.call("migrate_assets", batch | {"batch_key": f"{first['prefix']}00000001.jsonl"})


WAYS: Mapping[str, Callable[[Cloud], None]] = {
    "query_handler": _asking,
    "shadow_query": _asking_again,
    "list_placeholder": _listing,
    "migrate_assets": _moving,
}


def test_templates_grant_what_was_agreed_on(deployment: Deployment) -> None:
    """The synthesised roles hold exactly the grants in S3, SQS and DynamoDB that are listed here."""
    _need_templates(deployment)
    for function, agreed in AGREED.items():
        granted = [
            Grant(action, place)
            for statement in deployment.statements[function]
            for action in statement["Action"]
            for place in statement["Resource"]
            if action.partition(":")[0] in SERVICES
        ]
        assert sorted(granted) == sorted(agreed), function


@pytest.mark.parametrize("function", WAYS)
def test_granted_is_enough(cloud: Cloud, function: str) -> None:
    """With what its role grants the function does its work."""
    WAYS[function](cloud)
    assert not cloud.refused


@pytest.mark.parametrize(
    ("function", "grant"),
    [(function, grant) for function, grants in AGREED.items() for grant in grants],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_every_grant_is_needed(cloud: Cloud, function: str, grant: Grant) -> None:
    """Without any one of them its work fails, for what is refused as the service would refuse it."""
    _need_templates(cloud.deployment)
    cloud.withheld[function] = grant
    with pytest.raises((AssertionError, NestorError, ClientError)):
        WAYS[function](cloud)
    assert cloud.refused
    assert all(each.action == grant.action and fnmatchcase(each.resource, grant.resource) for each in cloud.refused)


@pytest.mark.parametrize(
    ("function", "action"),
    [(function, action) for function in sorted(ELSEWHERE) for action in GRANTED[function]],
)
def test_every_action_on_vectors_is_needed(cloud: Cloud, function: str, action: str) -> None:
    """Without any one of them its work fails, and it says so: see test_permissions for the other functions."""
    cloud.without[function] = action
    if function == "shadow_query":
        with pytest.raises(AssertionError):
            _asking_again(cloud)
        assert cloud.invoked[-1][1]["batchItemFailures"]
        return
    with pytest.raises(NestorError, match=action):
        WAYS[function](cloud)


CALLS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "s3:GetObject": ("s3", "get_object", {"Bucket": PLACEHOLDER, "Key": "elsewhere/a.json"}),
    "s3:PutObject": ("s3", "put_object", {"Bucket": PLACEHOLDER, "Key": f"{BELOW}/a.json", "Body": b""}),
    "s3:DeleteObject": ("s3", "delete_object", {"Bucket": WORK, "Key": "migration/first/batches/00000000.jsonl"}),
    "s3:ListBucket": ("s3", "list_objects_v2", {"Bucket": "nestor-source"}),
    "sqs:SendMessage": ("sqs", "send_message", {"QueueUrl": MORE["NESTOR_SHADOW_URL"], "MessageBody": "{}"}),
    "sqs:ReceiveMessage": ("sqs", "receive_message", {"QueueUrl": MORE["NESTOR_SHADOW_URL"]}),
    "dynamodb:GetItem": ("dynamodb", "get_item", {"TableName": TABLE, "Key": {"question": {"B": b"q"}}}),
    "dynamodb:DeleteItem": ("dynamodb", "delete_item", {"TableName": TABLE, "Key": {"question": {"B": b"q"}}}),
}


@pytest.mark.parametrize("function", WAYS)
def test_the_rest_is_refused(cloud: Cloud, function: str) -> None:
    """What is not granted does not leave the function: other folders, other buckets, the queue's other end."""
    _need_templates(cloud.deployment)
    also = {grant.action for grant in AGREED[function] if not grant.action.startswith("s3:")}
    for service, operation, members in (CALLS[action] for action in CALLS.keys() - also):
        client = cloud.client(service, function)
        with cloud.acting(function), pytest.raises(NotGranted):
            getattr(client, operation)(**members)


def _need_templates(deployment: Deployment) -> None:
    if not deployment.synthesised:
        pytest.skip("aws_cdk is not installed")


def _store(cloud: Cloud, text: str) -> None:
    for size, (row,) in nest(embedding_for(text)[np.newaxis], [256, 3072]).items():
        vector = {"key": "a_segment_0", "data": {"float32": row.tolist()}, "metadata": {"modality": "text"}}
        cloud.vectors.put_vectors(vectorBucketName=BUCKET, indexName=f"embeddings-{size}d", vectors=[vector])


def _key(segment: int) -> str:
    return f"{BELOW}/embeddings-3072d/one_mp4_20251101120000/segment_{segment}.json"


def _place(cloud: Cloud, *, segments: int) -> None:
    metadata = {"sourceS3Uri": FILM, "uploadTimestamp": "2025-11-01T12:00:00+00:00", "contentType": "video/mp4"}
    for segment in range(segments):
        document = {"embedding": embedding_for(f"scene {segment}").tolist(), "metadata": metadata}
        cloud.s3.put_object(Bucket=PLACEHOLDER, Key=_key(segment), Body=json.dumps(document).encode())


def _waiting(cloud: Cloud) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = cloud.sqs.get_queue_attributes(QueueUrl=MORE["NESTOR_SHADOW_URL"], AttributeNames=names)["Attributes"]
    return sum(int(told[name]) for name in names)


def _lines(cloud: Cloud, key: str) -> list[dict[str, Any]]:
    content = cloud.s3.get_object(Bucket=WORK, Key=key)["Body"].read()
    return [json.loads(line) for line in content.splitlines()]
