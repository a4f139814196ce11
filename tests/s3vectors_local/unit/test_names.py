import pytest

from s3vectors_local import names
from s3vectors_local.engine import open_engine
from s3vectors_local.errors import ValidationException

OWNER = names.Account(region="eu-west-1", account="123456789012")
BUCKET = "arn:aws:s3vectors:eu-west-1:123456789012:bucket/my-bucket"


@pytest.mark.parametrize("name", ["abc", "a-b", "0aa", "a" * 63])
def test_bucket_names(name: str) -> None:
    """Lower-case letters, digits and hyphens make a bucket's name."""
    assert names.check_bucket_name(name) == name


@pytest.mark.parametrize("name", ["a_b", "a.b", "A-b", "-ab", "ab-", "a b", "aéb", "ab\n", "٣ab"])
def test_bad_bucket_names(name: str) -> None:
    """Anything else is refused, in the service's words."""
    with pytest.raises(ValidationException, match=r"^Invalid vector bucket name$"):
        names.check_bucket_name(name)


def test_index_names_hold_dots() -> None:
    """An index's name may hold dots, not at its ends."""
    assert names.check_index_name("a.b-c") == "a.b-c"
    with pytest.raises(ValidationException, match=r"^Invalid index name$"):
        names.check_index_name("a.b.")


@pytest.mark.parametrize("text", [BUCKET, f"{BUCKET}/index/my.index"])
def test_arns_come_back(text: str) -> None:
    """Parsing and formatting an ARN gives the same text."""
    assert str(names.parse_arn(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my-bucket",
        BUCKET + "/",
        BUCKET + "/index/",
        BUCKET.replace("s3vectors", "s3"),
        BUCKET.replace("12:b", "1:b"),
    ],
)
def test_not_an_arn(text: str) -> None:
    """A text that is no ARN of ours parses to nothing."""
    assert names.parse_arn(text) is None


def test_owner() -> None:
    """An account owns the ARNs of its partition, region and account, no others."""
    mine, other = (
        names.parse_arn(OWNER.index_arn("my-bucket", "my.index")),
        names.parse_arn(BUCKET.replace("eu-", "us-")),
    )
    assert mine is not None
    assert other is not None
    assert OWNER.owns(mine)
    assert not OWNER.owns(other)


@pytest.mark.parametrize(
    ("region", "account"),
    [
        ("", "000000000000"),
        ("us east:1", "000000000000"),
        ("eu-west-1/../x", "000000000000"),
        ("us-east-1", "12"),
        ("us-east-1", "a" * 12),
    ],
)
def test_no_account(region: str, account: str) -> None:
    """What no ARN can hold is refused when an engine is opened, not by its own ARNs later."""
    with pytest.raises(ValueError, match="no ARN can have"):
        open_engine(None, region=region, account=account)
