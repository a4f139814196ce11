from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "arn:aws:s3vectors:us-east-1:000000000000:bucket/"
PATTERN = r"Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"


def _message(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


def test_bucket(client: Any) -> None:
    """Tags given at creation, added, replaced and removed."""
    name = f"tags-{uuid4()}"
    client.create_vector_bucket(vectorBucketName=name, tags={"env": "dev", "Ünï cödé_.:/=+-@9": ""})
    arn = f"{ACCOUNT}{name}"
    client.tag_resource(resourceArn=arn, tags={"env": "prod", "more": "aws:x"})
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {
        "env": "prod",
        "Ünï cödé_.:/=+-@9": "",
        "more": "aws:x",
    }
    client.untag_resource(resourceArn=arn, tagKeys=["env", "Ünï cödé_.:/=+-@9", "absent"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"more": "aws:x"}


def test_index_and_bucket_are_apart(client: Any, bucket: str, index: dict[str, str]) -> None:
    """An index's tags are its own, and go with it."""
    bucket_arn, index_arn = f"{ACCOUNT}{bucket}", f"{ACCOUNT}{bucket}/index/{index['indexName']}"
    client.tag_resource(resourceArn=index_arn, tags={"a": "index"})
    client.tag_resource(resourceArn=bucket_arn, tags={"a": "bucket"})
    assert client.list_tags_for_resource(resourceArn=index_arn)["tags"] == {"a": "index"}
    client.delete_index(**index)
    with pytest.raises(client.exceptions.NotFoundException):
        client.list_tags_for_resource(resourceArn=index_arn)
    assert client.list_tags_for_resource(resourceArn=bucket_arn)["tags"] == {"a": "bucket"}


def test_missing_resource(client: Any) -> None:
    """Tags of what is not there are NotFound; an ARN of something else is invalid."""
    for call, more in (
        (client.list_tags_for_resource, {}),
        (client.tag_resource, {"tags": {"k": "v"}}),
        (client.untag_resource, {"tagKeys": ["k"]}),
    ):
        for arn in (f"{ACCOUNT}absent", f"{ACCOUNT}absent/index/absent", f"{ACCOUNT}absent".replace("0000", "1234")):
            with pytest.raises(client.exceptions.NotFoundException):
                call(resourceArn=arn, **more)
        for below, name in (("", "vector bucket"), ("/index/absent", "index")):
            with pytest.raises(client.exceptions.NotFoundException, match=f"The specified {name} could not be found"):
                call(resourceArn=f"{ACCOUNT}absent{below}", **more)
        assert _message(call, resourceArn="arn:aws:s3:::bucket", **more) == "Invalid resource ARN"


def test_resource_of_another_account(client: Any, bucket: str) -> None:
    """An ARN of another account is NotFound, though the name is here."""
    with pytest.raises(client.exceptions.NotFoundException):
        client.list_tags_for_resource(resourceArn=f"{ACCOUNT}{bucket}".replace("000000000000", "123456789012"))


def test_fifty(client: Any, bucket: str) -> None:
    """A resource has at most 50 tags, however they came."""
    arn = f"{ACCOUNT}{bucket}"
    fifty = {f"k{number}": "" for number in range(50)}
    assert _message(client.tag_resource, resourceArn=arn, tags=fifty | {"one": "more"}) == "Too many tags specified"
    client.tag_resource(resourceArn=arn, tags=fifty)
    assert _message(client.tag_resource, resourceArn=arn, tags={"one": "more"}) == "Too many tags specified"
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == fifty
    client.tag_resource(resourceArn=arn, tags={"k0": "new"})


def test_fifty_at_creation(client: Any, bucket: str) -> None:
    """50 tags may be given at creation; with one more nothing is made."""
    fifty = {f"k{number}": "" for number in range(50)}
    index = {"vectorBucketName": bucket, "dataType": "float32", "dimension": 1, "distanceMetric": "cosine"}
    for tags in (fifty | {"one": "more"}, {"aws:x": "y"}):
        assert "ags" in _message(client.create_vector_bucket, vectorBucketName=bucket[::-1], tags=tags)
        assert "ags" in _message(client.create_index, indexName="tagged", tags=tags, **index)
    assert client.list_indexes(vectorBucketName=bucket)["indexes"] == []
    arn = client.create_index(indexName="tagged", tags=fifty, **index)["indexArn"]
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == fifty
    client.create_vector_bucket(vectorBucketName=bucket[::-1], tags=fifty)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"aws:owner": "x"}, "System tags cannot be added/updated by requester"),
        ({"AWS:owner": "x"}, 'Invalid System Tag: AWS:owner must be prefixed with "aws:" in lowercase.'),
        ({"team": "#"}, f"1 validation error detected. Value at '/tags/team' failed to satisfy constraint: {PATTERN}"),
        ({"te#m": "x"}, f"1 validation error detected. Value at '/tags' failed to satisfy constraint: {PATTERN}"),
        ({"k": "😀"}, f"1 validation error detected. Value at '/tags/k' failed to satisfy constraint: {PATTERN}"),
        ({"k": "a\tb"}, f"1 validation error detected. Value at '/tags/k' failed to satisfy constraint: {PATTERN}"),
    ],
)
def test_refused(client: Any, bucket: str, tags: dict[str, str], message: str) -> None:
    """System tags and other characters are refused, on every way in."""
    assert _message(client.tag_resource, resourceArn=f"{ACCOUNT}{bucket}", tags=tags) == message
    assert _message(client.create_vector_bucket, vectorBucketName="never-made", tags=tags) == message


@pytest.mark.parametrize(
    ("keys", "path", "rule"),
    [
        ([], "/tagKeys", "Member must not be null"),
        (["ok", ""], "/tagKeys/1", "Member must have length between 1 and 128, inclusive"),
        (["k" * 129], "/tagKeys/0", "Member must have length between 1 and 128, inclusive"),
        (["te#m"], "/tagKeys/0", PATTERN),
    ],
    ids=["none", "empty", "long", "character"],
)
def test_keys_to_remove(client: Any, bucket: str, keys: list[str], path: str, rule: str) -> None:
    """Keys to remove obey the rules of keys."""
    message = _message(client.untag_resource, resourceArn=f"{ACCOUNT}{bucket}", tagKeys=keys)
    assert message.startswith("1 validation error detected. Value ")
    assert message.endswith(f" at '{path}' failed to satisfy constraint: {rule}")


def test_keys_to_remove_are_as_they_were_put(client: Any, bucket: str) -> None:
    """Spaces, signs and letters of any script come through the query string."""
    arn = f"{ACCOUNT}{bucket}"
    tags = {"a b": "1", "c+d=e/f@g:h": "2", "Ünï": "3", "x.y_z-": "4"}
    client.tag_resource(resourceArn=arn, tags=tags)
    client.untag_resource(resourceArn=arn, tagKeys=list(tags))
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_length_of_arn(client: Any) -> None:
    """An ARN has at most 1,011 characters."""
    assert _message(client.list_tags_for_resource, resourceArn="x" * 1011) == "Invalid resource ARN"
    message = _message(client.list_tags_for_resource, resourceArn="x" * 1012)
    assert "Value with length 1012 at '/resourceArn'" in message


def test_lengths(client: Any, bucket: str) -> None:
    """A key has 1 to 128 characters, a value up to 256."""
    arn = f"{ACCOUNT}{bucket}"
    client.tag_resource(resourceArn=arn, tags={"k" * 128: "v" * 256})
    assert "Value with length 129 at '/tags'" in _message(client.tag_resource, resourceArn=arn, tags={"k" * 129: "v"})
    assert "Value with length 0 at '/tags'" in _message(client.tag_resource, resourceArn=arn, tags={"": "v"})
    message = _message(client.tag_resource, resourceArn=arn, tags={"k": "v" * 257})
    assert "Value with length 257 at '/tags/k'" in message
