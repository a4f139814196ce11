"""Names of buckets and indexes, and their ARNs: check, parse, format. And names of this machine."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from s3vectors_local.errors import ValidationException

# guide: lower-case letters, digits, hyphens; index names may hold dots too; first and last a letter or digit.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]*[a-z0-9]", re.ASCII)
_INDEX = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", re.ASCII)

# model: the patterns of VectorBucketArn and IndexArn, quoted in answers.
_NAME: Final = "[a-z0-9][a-z0-9-.]{1,61}[a-z0-9]"
BUCKET_ARN_PATTERN: Final = f"arn:aws[-a-z0-9]*:s3vectors:[a-z0-9-]+:[0-9]{{12}}:bucket/{_NAME}"
INDEX_ARN_PATTERN: Final = f"{BUCKET_ARN_PATTERN}/index/{_NAME}"
KMS_KEY_ARN_PATTERN: Final = "(arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:[0-9]{12}:key/.+)"

_ARN = re.compile(
    r"arn:(?P<partition>aws[-a-z0-9]*):s3vectors:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12})"
    rf":bucket/(?P<bucket>{_NAME})(?:/index/(?P<index>{_NAME}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Arn:
    """The ARN of a bucket, or of an index where `index` is given."""

    partition: str
    region: str
    account: str
    bucket: str
    index: str | None = None

    def __str__(self) -> str:
        """Format as AWS does."""
        tail = "" if self.index is None else f"/index/{self.index}"
        return f"arn:{self.partition}:s3vectors:{self.region}:{self.account}:bucket/{self.bucket}{tail}"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose resources these are: the parts of every ARN before the name."""

    region: str = "us-east-1"
    account: str = "000000000000"
    partition: str = "aws"

    def __post_init__(self) -> None:
        """Raise ValueError where no ARN can be made of the parts."""
        if parse_arn(self.bucket_arn("any")) is None:
            raise ValueError(f"no ARN can have the region {self.region!r} and the account {self.account!r}")

    def arn(self, bucket: str, index: str | None = None) -> Arn:
        """Return the ARN of a bucket, or of an index, of this account."""
        return Arn(self.partition, self.region, self.account, bucket, index)

    def bucket_arn(self, bucket: str) -> str:
        """Return the ARN of a bucket of this account, as text."""
        return str(self.arn(bucket))

    def index_arn(self, bucket: str, index: str) -> str:
        """Return the ARN of an index of this account, as text."""
        return str(self.arn(bucket, index))

    def owns(self, arn: Arn) -> bool:
        """Tell whether the ARN is of this partition, region and account."""
        return (arn.partition, arn.region, arn.account) == (self.partition, self.region, self.account)


def parse_arn(text: str) -> Arn | None:
    """Return the ARN, None where the text is none of a vector bucket or index."""
    match = _ARN.fullmatch(text)
    return Arn(**match.groupdict()) if match else None


def check_bucket_name(name: str) -> str:
    """Return the name of a bucket to create. Raises ValidationException for characters that are not allowed."""
    if not _BUCKET.fullmatch(name):
        raise ValidationException("Invalid vector bucket name")
    return name


def check_index_name(name: str) -> str:
    """Return the name of an index to create. Raises ValidationException for characters that are not allowed."""
    if not _INDEX.fullmatch(name):
        raise ValidationException("Invalid index name")
    return name


@lru_cache(maxsize=256)
def is_loopback(name: str) -> bool:
    """Tell whether a name or address is of this machine alone."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
