import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "arn:aws:s3vectors:us-east-1:000000000000:bucket/"
KEY = "arn:aws:kms:us-east-1:000000000000:key/8f2c"


def _refused(call: Any, **arguments: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_create_and_get(client: Any, bucket: str) -> None:
    """A new bucket is found by name and by ARN, is ENHANCED, and encrypted by AES256."""
    arn = f"{ACCOUNT}{bucket}"
    by_name = client.get_vector_bucket(vectorBucketName=bucket)["vectorBucket"]
    assert by_name.pop("creationTime") - datetime.now(UTC) < timedelta(minutes=1)
    assert by_name == {
        "vectorBucketName": bucket,
        "vectorBucketArn": arn,
        "encryptionConfiguration": {"sseType": "AES256"},
        "defaultIndexMode": "ENHANCED",
    }
    assert client.get_vector_bucket(vectorBucketArn=arn)["vectorBucket"]["vectorBucketName"] == bucket


def test_answers_carry_a_request_id(client: Any) -> None:
    """Every answer has an id, as from AWS."""
    assert client.list_vector_buckets()["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]


def test_list(client: Any) -> None:
    """Buckets are listed by name, by prefix, in pages that together hold each once."""
    prefix = f"p{uuid4().hex[:20]}"
    names = [f"{prefix}-{number}" for number in range(5)]
    for name in reversed(names):
        client.create_vector_bucket(vectorBucketName=name)
    pages = list(client.get_paginator("list_vector_buckets").paginate(prefix=prefix, PaginationConfig={"PageSize": 2}))
    assert [[each["vectorBucketName"] for each in page["vectorBuckets"]] for page in pages] == [
        names[:2],
        names[2:4],
        names[4:],
    ]
    assert client.list_vector_buckets(prefix=f"{prefix}-none")["vectorBuckets"] == []


def test_token_of_another_list(client: Any) -> None:
    """A token is good for the request that gave it only."""
    prefix = f"q{uuid4().hex[:20]}"
    for number in range(2):
        client.create_vector_bucket(vectorBucketName=f"{prefix}-{number}")
    token = client.list_vector_buckets(prefix=prefix, maxResults=1)["nextToken"]
    code, _, status = _refused(client.list_vector_buckets, prefix=prefix[:-1], nextToken=token)
    assert (code, status) == ("ValidationException", 400)


def test_name_taken(client: Any, bucket: str) -> None:
    """A name is taken once."""
    expected = ("ConflictException", "A vector bucket with the specified name already exists", 409)
    assert _refused(client.create_vector_bucket, vectorBucketName=bucket) == expected


@pytest.mark.parametrize("name", ["sh", "x" * 64])
def test_length_of_name(client: Any, name: str) -> None:
    """A name too short or too long is refused in the counted style."""
    assert _refused(client.create_vector_bucket, vectorBucketName=name) == (
        "ValidationException",
        (
            f"1 validation error detected. Value with length {len(name)} at '/vectorBucketName' failed to satisfy "
            "constraint: Member must have length between 3 and 63, inclusive"
        ),
        400,
    )


@pytest.mark.parametrize("name", ["with_under_score", "special&char", "with.dot", "Upper"])
def test_characters_of_name(client: Any, name: str) -> None:
    """A name with other characters is refused."""
    expected = ("ValidationException", "Invalid vector bucket name", 400)
    assert _refused(client.create_vector_bucket, vectorBucketName=name) == expected


def test_missing(client: Any) -> None:
    """A bucket that is not there is NotFound, for every operation on it."""
    expected = ("NotFoundException", "The specified vector bucket could not be found", 404)
    for call, more in (
        (client.get_vector_bucket, {}),
        (client.delete_vector_bucket, {}),
        (client.get_vector_bucket_policy, {}),
        (client.delete_vector_bucket_policy, {}),
        (client.put_vector_bucket_policy, {"policy": '{"Statement": []}'}),
        (client.put_vector_bucket_default_index_mode, {"defaultIndexMode": "ENHANCED"}),
        (client.list_indexes, {}),
        (
            client.create_index,
            {"indexName": "abc", "dataType": "float32", "dimension": 1, "distanceMetric": "cosine"},
        ),
    ):
        assert _refused(call, vectorBucketName="not-there", **more) == expected
    assert _refused(client.get_vector_bucket, vectorBucketArn=f"{ACCOUNT}not-there") == expected


def test_bucket_of_another_account(client: Any, bucket: str) -> None:
    """An ARN of another account or region is NotFound, though the name is here."""
    for arn in (f"{ACCOUNT}{bucket}".replace("000000000000", "1" * 12), f"{ACCOUNT}{bucket}".replace("us-", "eu-")):
        assert _refused(client.get_vector_bucket, vectorBucketArn=arn)[0] == "NotFoundException"


def test_both_or_neither(client: Any, bucket: str) -> None:
    """Exactly one of name and ARN."""
    expected = ("ValidationException", "Must specify either vectorBucketName or vectorBucketArn but not both", 400)
    both = {"vectorBucketName": bucket, "vectorBucketArn": f"{ACCOUNT}{bucket}"}
    assert _refused(client.get_vector_bucket, **both) == expected
    assert _refused(client.list_indexes, **both) == expected
    assert _refused(client.get_vector_bucket) == expected


def test_not_an_arn(client: Any) -> None:
    """An ARN of another form is refused in the counted style."""
    code, message, _ = _refused(client.get_vector_bucket, vectorBucketArn="arn:aws:s3:::demo")
    assert code == "ValidationException"
    assert message.startswith("1 validation error detected. Value at '/vectorBucketArn' failed to satisfy constraint")


def test_delete(client: Any, bucket: str, index: dict[str, str]) -> None:
    """A bucket with an index is not deleted; an empty one is, with its tags."""
    expected = ("ConflictException", "The specified vector bucket is not empty", 409)
    assert _refused(client.delete_vector_bucket, vectorBucketName=bucket) == expected
    client.delete_index(**index)
    client.delete_vector_bucket(vectorBucketName=bucket)
    assert _refused(client.list_tags_for_resource, resourceArn=f"{ACCOUNT}{bucket}")[0] == "NotFoundException"


def test_encryption(client: Any) -> None:
    """A KMS key is checked and given back; an index takes its bucket's encryption, or its own."""
    name = f"kms-{uuid4()}"
    kms = {"sseType": "aws:kms", "kmsKeyArn": KEY}
    client.create_vector_bucket(vectorBucketName=name, encryptionConfiguration=kms)
    assert client.get_vector_bucket(vectorBucketName=name)["vectorBucket"]["encryptionConfiguration"] == kms
    common = {"vectorBucketName": name, "dataType": "float32", "dimension": 1, "distanceMetric": "cosine"}
    client.create_index(indexName="same", **common)
    client.create_index(indexName="own", encryptionConfiguration={"sseType": "AES256"}, **common)
    found = {
        each: client.get_index(vectorBucketName=name, indexName=each)["index"]["encryptionConfiguration"]
        for each in ("same", "own")
    }
    assert found == {"same": kms, "own": {"sseType": "AES256"}}


@pytest.mark.parametrize(
    ("encryption", "message"),
    [
        ({"sseType": "AES256", "kmsKeyArn": KEY}, "kmsKeyArn must not be specified when sseType is AES256."),
        ({"kmsKeyArn": KEY}, "kmsKeyArn must not be specified when sseType is AES256."),
        ({"sseType": "aws:kms"}, "kmsKeyArn must be specified when sseType is set to aws:kms"),
        (
            {"sseType": "rot13"},
            (
                "1 validation error detected. Value at '/encryptionConfiguration/sseType' failed to satisfy "
                "constraint: "
                "Member must satisfy enum value set: [AES256, aws:kms]"
            ),
        ),
        (
            {"sseType": "aws:kms", "kmsKeyArn": "alias/mine"},
            (
                "1 validation error detected. Value at '/encryptionConfiguration/kmsKeyArn' failed to satisfy "
                "constraint: "
                "Member must satisfy regular expression pattern: ^(arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:[0-9]{12}:key/.+)$"
            ),
        ),
    ],
)
def test_wrong_encryption(client: Any, bucket: str, encryption: dict[str, str], message: str) -> None:
    """Key and kind of encryption must fit, of a bucket and of an index."""
    arguments: dict[str, Any] = {"vectorBucketName": "never-made", "encryptionConfiguration": encryption}
    assert _refused(client.create_vector_bucket, **arguments) == ("ValidationException", message, 400)
    index = {"indexName": "abc", "dataType": "float32", "dimension": 1, "distanceMetric": "cosine"}
    arguments |= {"vectorBucketName": bucket} | index
    assert _refused(client.create_index, **arguments) == ("ValidationException", message, 400)


def test_policy(client: Any, bucket: str) -> None:
    """A policy is put, read and deleted; a bucket without one says so; deleting none is fine."""
    expected = ("NotFoundException", "The specified vector bucket policy could not be found", 404)
    policy = json.dumps({"Version": "2012-10-17", "Statement": []}, indent=1)
    assert _refused(client.get_vector_bucket_policy, vectorBucketName=bucket) == expected
    client.put_vector_bucket_policy(vectorBucketArn=f"{ACCOUNT}{bucket}", policy=policy)
    assert client.get_vector_bucket_policy(vectorBucketName=bucket)["policy"] == policy
    for _ in range(2):
        client.delete_vector_bucket_policy(vectorBucketName=bucket)
    assert _refused(client.get_vector_bucket_policy, vectorBucketName=bucket) == expected


def test_policy_is_json(client: Any, bucket: str) -> None:
    """A policy that is not JSON is refused."""
    assert _refused(client.put_vector_bucket_policy, vectorBucketName=bucket, policy="{")[0] == "ValidationException"


def test_default_mode(client: Any, bucket: str) -> None:
    """New buckets offer ENHANCED only."""
    client.put_vector_bucket_default_index_mode(vectorBucketName=bucket, defaultIndexMode="ENHANCED")
    call = client.put_vector_bucket_default_index_mode
    assert _refused(call, vectorBucketName=bucket, defaultIndexMode="CLASSIC")[0] == "ValidationException"
    assert _refused(call, vectorBucketName="absent", defaultIndexMode="CLASSIC")[0] == "NotFoundException"
    assert "enum value set: [CLASSIC, ENHANCED]" in _refused(call, vectorBucketName=bucket, defaultIndexMode="X")[1]
    assert "Member must not be null" in _refused(call, vectorBucketName=bucket)[1]
