"""Operations on buckets."""

from typing import Any

from s3vectors_local import iam, limits
from s3vectors_local.engine import Engine
from s3vectors_local.errors import Field, ValidationException
from s3vectors_local.model import Bucket, Encryption, Mode
from s3vectors_local.operations import access, references
from s3vectors_local.operations.shapes import Members

Answer = dict[str, Any]


def create_vector_bucket(engine: Engine, members: Members) -> Answer:
    """CreateVectorBucket."""
    name = members.needed_text("vectorBucketName", length=limits.NAME_LENGTH)
    encryption = references.encryption(members)
    tags = members.tags("tags")
    members.check()
    references.check_encryption(encryption)
    references.check_tags(tags)
    bucket = engine.create_bucket(name, encryption=encryption or Encryption(), tags=tags)
    return {"vectorBucketArn": engine.owner.bucket_arn(bucket.name)}


def get_vector_bucket(engine: Engine, members: Members) -> Answer:
    """GetVectorBucket."""
    bucket = engine.get_bucket(references.bucket(engine, members))
    encryption = references.encryption_reply(bucket.encryption)
    more = {"encryptionConfiguration": encryption, "defaultIndexMode": bucket.default_mode}
    return {"vectorBucket": {**_summary(engine, bucket), **more}}


def list_vector_buckets(engine: Engine, members: Members) -> Answer:
    """ListVectorBuckets."""
    limit = members.number("maxResults", bounds=limits.LIST_RESULTS) or limits.LIST_DEFAULT
    token = members.text("nextToken", length=limits.LIST_TOKEN_LENGTH)
    prefix = members.text("prefix", length=limits.PREFIX_LENGTH) or ""
    members.check()
    page = engine.list_buckets(prefix=prefix, limit=limit, token=token)
    return {"vectorBuckets": [_summary(engine, bucket) for bucket in page.items], "nextToken": page.next_token}


def delete_vector_bucket(engine: Engine, members: Members) -> Answer:
    """DeleteVectorBucket."""
    engine.delete_bucket(references.bucket(engine, members))
    return {}


def put_vector_bucket_policy(engine: Engine, members: Members) -> Answer:
    """PutVectorBucketPolicy. What the evaluation would not understand is refused here."""
    policy = members.needed_text("policy")
    bucket = references.bucket(engine, members)
    try:
        iam.bucket_policy(policy, known=access.ACTIONS)
    except iam.PolicyFault as error:
        raise ValidationException(f"Invalid policy: {error}", fields=[Field("policy", str(error))]) from error
    engine.put_policy(bucket, policy)
    return {}


def get_vector_bucket_policy(engine: Engine, members: Members) -> Answer:
    """GetVectorBucketPolicy."""
    return {"policy": engine.get_policy(references.bucket(engine, members))}


def delete_vector_bucket_policy(engine: Engine, members: Members) -> Answer:
    """DeleteVectorBucketPolicy."""
    engine.delete_policy(references.bucket(engine, members))
    return {}


def put_vector_bucket_default_index_mode(engine: Engine, members: Members) -> Answer:
    """PutVectorBucketDefaultIndexMode."""
    mode = members.needed_text("defaultIndexMode", choices=tuple(Mode))
    bucket = references.bucket(engine, members)
    engine.set_default_mode(bucket, Mode(mode))
    return {}


def _summary(engine: Engine, bucket: Bucket) -> Answer:
    return {
        "vectorBucketName": bucket.name,
        "vectorBucketArn": engine.owner.bucket_arn(bucket.name),
        "creationTime": bucket.created,
    }
