"""Buckets and indexes as requests name them: by name or by ARN, exactly one of the two; and other shared shapes."""

from collections.abc import Mapping
from typing import Any

from s3vectors_local import limits, names
from s3vectors_local.engine import Engine
from s3vectors_local.errors import BucketNotFound, Field, IndexNotFound, ValidationException
from s3vectors_local.model import Encryption
from s3vectors_local.operations.shapes import Members


def bucket(engine: Engine, members: Members) -> str:
    """Return the name of the bucket. Raises BucketNotFound for an ARN of elsewhere."""
    arn = _bucket(engine, members)
    if not engine.owner.owns(arn):
        raise BucketNotFound
    return arn.bucket


def index(engine: Engine, members: Members) -> tuple[str, str]:
    """Return the names of the bucket and the index. Raises IndexNotFound for an ARN of elsewhere."""
    arn, name = _index(engine, members)
    if not engine.owner.owns(arn):
        raise IndexNotFound
    return arn.bucket, name


def bucket_arn(engine: Engine, members: Members) -> str:
    """Return the ARN of the bucket, be it here or elsewhere."""
    return str(_bucket(engine, members))


def index_arn(engine: Engine, members: Members) -> str:
    """Return the ARN of the index, be it here or elsewhere."""
    return str(_index(engine, members)[0])


def _bucket(engine: Engine, members: Members) -> names.Arn:
    name = members.text("vectorBucketName", length=limits.NAME_LENGTH)
    arn = members.text("vectorBucketArn", pattern=names.BUCKET_ARN_PATTERN)
    members.check()
    if name is not None and arn is None:
        return engine.owner.arn(name)
    parsed = names.parse_arn(arn) if arn is not None and name is None else None
    if parsed is None:
        raise ValidationException("Must specify either vectorBucketName or vectorBucketArn but not both")
    return parsed


def _index(engine: Engine, members: Members) -> tuple[names.Arn, str]:
    bucket_name = members.text("vectorBucketName", length=limits.NAME_LENGTH)
    name = members.text("indexName", length=limits.NAME_LENGTH)
    arn = members.text("indexArn", pattern=names.INDEX_ARN_PATTERN)
    members.check()
    if arn is None and bucket_name is not None and name is not None:
        return engine.owner.arn(bucket_name, name), name
    parsed = names.parse_arn(arn) if arn is not None and bucket_name is None and name is None else None
    if parsed is None or parsed.index is None:
        raise ValidationException("Must specify either indexArn or both vectorBucketName and indexName")
    return parsed, parsed.index


def resource(members: Members) -> str:
    """Return the ARN in the path of a tag operation, whatever it may be the ARN of."""
    arn = members.needed_text("resourceArn", length=limits.RESOURCE_ARN_LENGTH)
    members.check()
    return arn


def encryption(members: Members) -> Encryption | None:
    """Return the encryption that was asked for, None for the default; `check_encryption` is still to come."""
    inner = members.structure("encryptionConfiguration")
    if inner is None:
        return None
    sse_type = inner.text("sseType", choices=("AES256", "aws:kms")) or "AES256"
    key = inner.text("kmsKeyArn", length=limits.KMS_KEY_ARN_LENGTH, pattern=names.KMS_KEY_ARN_PATTERN)
    return Encryption(sse_type, key)


def check_encryption(asked: Encryption | None) -> None:
    """Raise ValidationException where key and kind of encryption do not fit."""
    if asked is None:
        return
    if asked.sse_type == "AES256" and asked.kms_key_arn is not None:
        raise _encryption_fault("kmsKeyArn must not be specified when sseType is AES256.")
    if asked.sse_type == "aws:kms" and asked.kms_key_arn is None:
        raise _encryption_fault("kmsKeyArn must be specified when sseType is set to aws:kms")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise ValidationException for too many tags, and for a key that AWS keeps for itself."""
    if len(tags) > limits.TAGS:
        raise ValidationException("Too many tags specified")
    for key in tags:
        if key.startswith("aws:"):
            raise ValidationException("System tags cannot be added/updated by requester")
        if key.lower().startswith("aws:"):
            raise ValidationException(f'Invalid System Tag: {key} must be prefixed with "aws:" in lowercase.')


def encryption_reply(value: Encryption) -> dict[str, Any]:
    """Return the shape that answers carry."""
    key = {} if value.kms_key_arn is None else {"kmsKeyArn": value.kms_key_arn}
    return {"sseType": value.sse_type, **key}


def _encryption_fault(reason: str) -> ValidationException:
    return ValidationException(reason, fields=[Field("EncryptionConfiguration", reason)])
