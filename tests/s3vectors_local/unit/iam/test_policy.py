import json
from typing import Any

import pytest

from s3vectors_local import iam

ALLOW = {"Effect": "Allow", "Action": "s3vectors:*", "Resource": "*"}
OPEN = ALLOW | {"Principal": "*"}


def _condition(operator: str, key: str, value: Any) -> dict[str, Any]:
    return ALLOW | {"Condition": {operator: {key: value}}}


def _refused(document: Any, *, bucket: bool = False) -> str:
    with pytest.raises(iam.PolicyFault) as caught:
        iam.bucket_policy(json.dumps(document)) if bucket else iam.identity_policies(document)
    return str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        {"Statement": ALLOW},
        {"Version": "2012-10-17", "Id": "x", "Statement": [ALLOW | {"Sid": "a"}]},
        {"Version": "2008-10-17", "Statement": []},
        json.dumps({"Statement": [ALLOW]}),
        [{"Statement": [ALLOW]}, json.dumps({"Statement": [ALLOW]})],
        [],
        {"Statement": {"Effect": "Deny", "NotAction": ["a:B", "*"], "NotResource": ["arn:aws:s3:::x/*"]}},
        {"Statement": _condition("ForAllValues:StringLikeIfExists", "aws:TagKeys", ["a*"])},
        {"Statement": _condition("Null", "AWS:requestTAG/x", True)},
        {"Statement": _condition("Bool", "aws:SecureTransport", ["true", "false"])},
    ],
    ids=str,
)
def test_accepted(document: Any) -> None:
    """What IAM's grammar has, as object, text or list."""
    iam.identity_policies(document)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (None, "must be an object"),
        ("{", "is not valid JSON: line 1 column 2"),
        ('{"Statement": [], "Statement": []}', "Statement: is there twice"),
        ("[" * 100_000, "nested too deep"),
        ({}, "Statement: must be an object or a list"),
        ({"Statement": "x"}, "Statement: must be an object or a list"),
        ({"Statement": [1]}, "Statement[0]: must be an object"),
        ({"Statement": [], "Version": "2020-01-01"}, "Version: must be one of"),
        ({"Statement": [], "Id": 1}, "Id: must be a string"),
        ({"Statement": [], "version": "2012-10-17"}, "version: is not an element known here"),
        ({"Statement": [ALLOW, ALLOW | {"Effects": "Deny"}]}, "Statement[1].Effects: is not an element known here"),
        ({"Statement": ALLOW | {"Effect": "allow"}}, "Statement[0].Effect: must be Allow or Deny"),
        ({"Statement": ALLOW | {"Sid": 1}}, "Statement[0].Sid: must be a string"),
        ({"Statement": ALLOW | {"NotAction": "*"}}, "must have either Action or NotAction"),
        ({"Statement": {"Effect": "Allow", "Action": "*"}}, "must have either Resource or NotResource"),
        ({"Statement": ALLOW | {"Action": []}}, "Statement[0].Action: must be a string or a list"),
        ({"Statement": ALLOW | {"Action": ["a:B", 1]}}, "Statement[0].Action: must be a string or a list"),
        ({"Statement": ALLOW | {"Action": ""}}, "Statement[0].Action: must be a string or a list"),
        ({"Statement": ALLOW | {"Action": "QueryVectors"}}, "QueryVectors is not * or service:Action"),
        ({"Statement": ALLOW | {"Action": "s3*:Get"}}, "s3*:Get is not * or service:Action"),
        ({"Statement": ALLOW | {"Resource": "demo"}}, "demo is not * or an ARN"),
        ({"Statement": ALLOW | {"Resource": "arn:aws:*:x"}}, "is not * or an ARN"),
        ({"Statement": ALLOW | {"Resource": "arn:aws:s3:::${aws:username}"}}, "policy variable"),
        ({"Statement": ALLOW | {"Principal": "*"}}, "Principal: has no place in the policy of an identity"),
        ({"Statement": ALLOW | {"Condition": []}}, "Statement[0].Condition: must be an object"),
        ({"Statement": ALLOW | {"Condition": {"StringEquals": 1}}}, "Condition.StringEquals: must be an object"),
        ({"Statement": _condition("StringIs", "aws:RequestTag/a", "b")}, "StringIs is not an operator known here"),
        ({"Statement": _condition("stringequals", "aws:RequestTag/a", "b")}, "is not an operator known here"),
        ({"Statement": _condition("Some:StringEquals", "aws:RequestTag/a", "b")}, "is not an operator known here"),
        ({"Statement": _condition("NullIfExists", "aws:RequestTag/a", "true")}, "is not an operator known here"),
        ({"Statement": _condition("ForAnyValue:Null", "aws:TagKeys", "true")}, "is not an operator known here"),
        ({"Statement": _condition("StringEquals", "aws:UserAgent", "b")}, "aws:UserAgent is not a condition key"),
        ({"Statement": _condition("StringEquals", "aws:RequestTag", "b")}, "aws:RequestTag is not a condition key"),
        ({"Statement": _condition("StringEquals", "aws:RequestTag/", "b")}, "is not a condition key"),
        ({"Statement": _condition("StringEquals", "s3vectors:sseType/x", "b")}, "is not a condition key"),
        ({"Statement": _condition("StringEquals", "aws:TagKeys", "b")}, "use ForAnyValue or ForAllValues"),
        ({"Statement": _condition("StringEquals", "aws:RequestTag/a", [])}, "must be a string or a list"),
        ({"Statement": _condition("StringEquals", "aws:RequestTag/a", "${x}")}, "policy variable"),
        ({"Statement": _condition("Bool", "aws:SecureTransport", "yes")}, "must be true or false"),
        ({"Statement": _condition("Null", "aws:RequestTag/a", [])}, "must be true or false"),
        ({"Statement": _condition("IpAddress", "aws:SourceIp", "10.0.0")}, "'10.0.0' does not appear to be an IP"),
        ({"Statement": _condition("Null", "aws:RequestTag/a", [True, 1])}, "must be true or false"),
        ([{"Statement": []}, {"Statement": [1]}], "[1].Statement[0]: must be an object"),
    ],
    ids=str,
)
def test_refused(document: Any, fault: str) -> None:
    """What is not understood is refused by its place, never passed over."""
    assert fault in _refused(document)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"Principal": {"Services": "lambda.amazonaws.com"}}, "Principal.Services: is not an element known here"),
        ({"Principal": {"Service": []}}, "Principal.Service: must be a string"),
        ({"Principal": "arn:aws:iam::000000000000:root"}, "Principal: must be an object"),
        ({"Principal": {}}, "Principal.AWS: must be a string"),
        ({"Principal": {"AWS": "arn:aws:iam::000000000000:role/a*"}}, "is not the ARN of a user"),
        ({"Principal": {"AWS": "bob"}}, "bob is not the ARN of a user"),
        ({"Principal": {"AWS": "12345"}}, "12345 is not the ARN of a user"),
        ({"NotPrincipal": "*"}, "must have either Principal or NotPrincipal"),
    ],
    ids=str,
)
def test_refused_principals(change: dict[str, Any], fault: str) -> None:
    """The policy of a bucket names users, roles, sessions, accounts or everyone."""
    assert fault in _refused({"Statement": OPEN | change}, bucket=True)


def test_bucket_policy_needs_a_principal() -> None:
    """The policy of a bucket says of whom it speaks; and forbids only, where it says of whom it does not."""
    assert "must have either Principal" in _refused({"Statement": ALLOW}, bucket=True)
    statement = ALLOW | {"NotPrincipal": {"AWS": "000000000000"}}
    assert "goes with Deny only" in _refused({"Statement": statement}, bucket=True)


def test_length_of_a_bucket_policy() -> None:
    """The policy of a bucket has at most 20 KB."""
    text = json.dumps({"Statement": OPEN, "Id": "ä"}, ensure_ascii=False)
    longest = text + " " * (20 * 1024 - len(text.encode()))
    iam.bucket_policy(longest)
    with pytest.raises(iam.PolicyFault, match="is longer than 20480 bytes"):
        iam.bucket_policy(longest + " ")


@pytest.mark.parametrize("action", ["s3:GetObject", "s3vectors:QueryVector", "logs:*"])
def test_bucket_policy_of_other_actions(action: str) -> None:
    """An action that there is not would be a statement without effect: it is refused."""
    known = frozenset({"s3vectors:QueryVectors"})
    iam.bucket_policy(json.dumps({"Statement": OPEN | {"Action": ["*", "s3Vectors:query*"]}}), known=known)
    for element in ("Action", "NotAction"):
        statement = {name: value for name, value in OPEN.items() if name != "Action"} | {element: ["*", action]}
        with pytest.raises(iam.PolicyFault, match="is no action of s3vectors"):
            iam.bucket_policy(json.dumps({"Statement": [statement]}), known=known)


def test_conditions_of_other_services_are_theirs() -> None:
    """A role's statement about another service decides nothing here, so its conditions need not be known."""
    foreign = {"StringEquals": {"kms:ViaService": "x"}}
    iam.identity_policies({"Statement": ALLOW | {"Action": ["kms:Decrypt"], "Condition": foreign}})
    for action in ({"Action": ["kms:Decrypt", "S3Vectors:x"]}, {"Action": "*"}):
        assert "kms:ViaService" in _refused({"Statement": ALLOW | action | {"Condition": foreign}})
    negated = {"Effect": "Allow", "NotAction": "kms:*", "Resource": "*", "Condition": foreign}
    assert "kms:ViaService" in _refused({"Statement": negated})
