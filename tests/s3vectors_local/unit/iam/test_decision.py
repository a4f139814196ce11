import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from s3vectors_local import iam
from s3vectors_local.iam import Decision

ACCOUNT = "000000000000"
USER = f"arn:aws:iam::{ACCOUNT}:user/ann"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/query"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/query/lambda"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
INDEX = f"arn:aws:s3vectors:us-east-1:{ACCOUNT}:bucket/demo/index/flat"
QUERY = "s3vectors:QueryVectors"

ALLOWED, NOT_ALLOWED = Decision.ALLOWED, Decision.NOT_ALLOWED
BY_IDENTITY, BY_BUCKET = Decision.DENIED_BY_IDENTITY, Decision.DENIED_BY_BUCKET


def _statement(effect: str = "Allow", action: Any = QUERY, resource: Any = INDEX, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def _decide(
    identity: Sequence[dict[str, Any]] | None,
    bucket: Sequence[dict[str, Any]] | None = None,
    *,
    who: str = USER,
    action: str = QUERY,
    resource: str = INDEX,
    facts: Mapping[str, Sequence[str]] | None = None,
) -> Decision:
    policy = None if identity is None else {"Statement": identity}
    request = iam.Request(action, resource, (facts or {}).get)
    parsed = None if bucket is None else iam.bucket_policy(json.dumps({"Statement": bucket}))
    return iam.decide(iam.caller(who, policy=policy), request, bucket=parsed)


ALLOW, DENY, OTHER = _statement(), _statement("Deny"), _statement(action="s3vectors:PutVectors")
TO_USER = _statement(Principal={"AWS": USER})
TO_ALL, TO_ACCOUNT = _statement(Principal="*"), _statement(Principal={"AWS": ACCOUNT})
FROM_ALL, FROM_ACCOUNT = DENY | {"Principal": {"AWS": ["*"]}}, DENY | {"Principal": {"AWS": [ROOT]}}


@pytest.mark.parametrize(
    ("identity", "bucket", "expected"),
    [
        (None, None, ALLOWED),
        ([], None, NOT_ALLOWED),
        ([OTHER], None, NOT_ALLOWED),
        ([ALLOW], None, ALLOWED),
        ([DENY, ALLOW], None, BY_IDENTITY),
        ([ALLOW, DENY], None, BY_IDENTITY),
        ([DENY], None, BY_IDENTITY),
        ([], [TO_USER], ALLOWED),
        ([], [TO_ALL], ALLOWED),
        ([], [TO_ACCOUNT], NOT_ALLOWED),  # leaves it to the identity's policies
        ([ALLOW], [TO_ACCOUNT], ALLOWED),
        ([ALLOW], [], ALLOWED),
        ([DENY], [TO_USER], BY_IDENTITY),
        ([ALLOW], [FROM_ALL], BY_BUCKET),
        ([ALLOW], [FROM_ACCOUNT], BY_BUCKET),
        ([ALLOW], [TO_USER, FROM_ALL], BY_BUCKET),
        ([], [TO_USER, FROM_ALL], NOT_ALLOWED),  # nothing tells that there is a bucket
        (None, [FROM_ALL], BY_BUCKET),
        (None, [], ALLOWED),
    ],
)
def test_both_sides(identity: Any, bucket: Any, expected: Decision) -> None:
    """A Deny anywhere wins, then an Allow anywhere is enough; no Allow is no."""
    assert _decide(identity, bucket) is expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (_statement(action="*"), True),
        (_statement(action="s3vectors:*"), True),
        (_statement(action="S3VECTORS:queryvectors"), True),
        (_statement(action="s3vectors:Query*"), True),
        (_statement(action="s3vectors:?ueryVectors"), True),
        (_statement(action="s3vectors:?QueryVectors"), False),
        (_statement(action=["s3vectors:GetVectors", "s3vectors:Query*"]), True),
        (_statement(action="s3:QueryVectors"), False),
        ({"Effect": "Allow", "NotAction": "s3vectors:Delete*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": ["s3vectors:Put*", "s3vectors:query*"], "Resource": "*"}, False),
        (_statement(resource="*"), True),
        (_statement(resource=INDEX.replace("flat", "f*t")), True),
        (_statement(resource=INDEX.replace("flat", "FLAT")), False),
        (_statement(resource=INDEX.partition("/index")[0]), False),
        (_statement(resource=INDEX.partition("/index")[0] + "/*"), True),
        (_statement(resource=[INDEX + "x", INDEX]), True),
        ({"Effect": "Allow", "Action": "*", "NotResource": INDEX}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": INDEX + "x"}, True),
    ],
    ids=str,
)
def test_actions_and_resources(statement: dict[str, Any], expected: bool) -> None:
    """Actions match in either case, resources exactly; what is negated is everything else."""
    assert (_decide([statement]) is ALLOWED) is expected


@pytest.mark.parametrize(
    ("who", "principal", "expected"),
    [
        (USER, USER, True),
        (USER, USER + "x", False),
        (USER, [ROLE, USER], True),
        (ROLE, ROLE, True),
        (ROLE, f"arn:aws:iam::{ACCOUNT}:role/query", True),
        (SESSION, SESSION, True),
        (SESSION, ROLE, True),
        (SESSION, f"arn:aws:iam::{ACCOUNT}:role/other", False),
        (ROLE, SESSION, False),
        (USER, "111111111111", False),
        (USER, "arn:aws:iam::111111111111:root", False),
        (USER, "*", True),
    ],
)
def test_principals(who: str, principal: Any, expected: bool) -> None:
    """A principal is itself; a session is its role too, whatever the role's path."""
    assert (_decide([], [_statement(Principal={"AWS": principal})], who=who) is ALLOWED) is expected
    denied = _decide(None, [_statement("Deny", Principal={"AWS": principal})], who=who)
    assert (denied is BY_BUCKET) is expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([USER, ROOT], ALLOWED),
        ([USER, ACCOUNT], ALLOWED),
        ([USER], BY_BUCKET),  # the account is not listed: IAM denies
        ([ROOT], BY_BUCKET),  # nor is everybody in the account spared
        ([ROLE, ROOT], BY_BUCKET),
    ],
)
def test_not_principal(listed: list[str], expected: Decision) -> None:
    """A Deny with NotPrincipal spares whom it lists together with the account."""
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "NotPrincipal": {"AWS": listed}}
    assert _decide(None, [statement]) is expected


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "values", "expected"),
    [
        ("StringEquals", "s3vectors:sseType", "aws:kms", ["aws:kms"], True),
        ("StringEquals", "s3vectors:sseType", "aws:kms", ["AES256"], False),
        ("StringEquals", "s3vectors:sseType", ["x", "aws:kms"], ["aws:kms"], True),
        ("StringEquals", "s3vectors:sseType", "aws:kms", None, False),
        ("StringEquals", "s3vectors:sseType", "aws:*", ["aws:kms"], False),
        ("StringEquals", "s3vectors:sseType", "AWS:kms", ["aws:kms"], False),
        ("StringEqualsIgnoreCase", "s3vectors:sseType", "AWS:kms", ["aws:kms"], True),
        ("StringNotEqualsIgnoreCase", "s3vectors:sseType", "AWS:kms", ["aws:kms"], False),
        ("StringEqualsIfExists", "s3vectors:sseType", "aws:kms", None, True),
        ("StringEqualsIfExists", "s3vectors:sseType", "aws:kms", ["AES256"], False),
        ("StringNotEquals", "s3vectors:sseType", "aws:kms", ["AES256"], True),
        ("StringNotEquals", "s3vectors:sseType", "aws:kms", ["aws:kms"], False),
        ("StringNotEquals", "s3vectors:sseType", ["AES256", "aws:kms"], ["aws:kms"], False),
        ("StringNotEquals", "s3vectors:sseType", "aws:kms", None, True),
        ("StringLike", "aws:ResourceTag/team", "se*ch", ["search"], True),
        ("StringLike", "aws:ResourceTag/team", "se?ch", ["search"], False),
        ("StringNotLike", "aws:ResourceTag/team", "se*", ["search"], False),
        ("StringLike", "aws:ResourceTag/team", "*", None, False),
        ("ArnLike", "s3vectors:kmsKeyArn", "arn:aws:kms:*:*:key/*", ["arn:aws:kms:eu-west-1:1:key/a"], True),
        ("ArnEquals", "s3vectors:kmsKeyArn", "arn:aws:kms:*:*:key/*", ["arn:aws:kms:eu-west-1:1:key/a"], True),
        ("ArnLike", "s3vectors:kmsKeyArn", "arn:aws:kms:*:key/*", ["arn:aws:kms:eu-west-1:1:key/a"], False),
        ("ArnNotLike", "s3vectors:kmsKeyArn", "arn:aws:kms:*:*:key/*", ["arn:aws:kms:eu-west-1:1:key/a"], False),
        ("ArnNotEquals", "s3vectors:kmsKeyArn", "arn:aws:kms:*:*:key/b", ["arn:aws:kms:eu-west-1:1:key/a"], True),
        ("Bool", "aws:SecureTransport", "false", ["false"], True),
        ("Bool", "aws:SecureTransport", True, ["false"], False),
        ("BoolIfExists", "aws:SecureTransport", "true", None, True),
        ("Null", "aws:RequestTag/team", "true", None, True),
        ("Null", "aws:RequestTag/team", "true", ["a"], False),
        ("Null", "aws:RequestTag/team", False, ["a"], True),
        ("Null", "aws:RequestTag/team", "false", None, False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a", "b"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a", "c"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], None, True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], ["c", "a"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], ["c"], False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], None, False),
        ("ForAnyValue:StringEqualsIfExists", "aws:TagKeys", ["a", "b"], None, True),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["a"], ["b", "c"], True),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["a"], ["b", "a"], False),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], ["b", "a"], True),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], ["a"], False),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], None, False),
        ("StringEquals", "AWS:RESOURCETAG/team", "search", ["search"], True),
    ],
)
def test_operators(operator: str, key: str, wanted: Any, values: list[str] | None, expected: bool) -> None:
    """Each operator by IAM's rules, with the key there, there several times, and missing."""
    name, slash, tag = key.partition("/")
    facts = {} if values is None else {name.lower() + slash + tag: values}
    statement = _statement(Condition={operator: {key: wanted}})
    assert (_decide([statement], facts=facts) is ALLOWED) is expected


def test_conditions_hold_together() -> None:
    """Every operator and every key of a statement must hold."""
    condition = {
        "StringEquals": {"s3vectors:sseType": "aws:kms", "aws:ResourceTag/a": "1"},
        "Null": {"aws:TagKeys": "true"},
    }
    statement = _statement(Condition=condition)
    facts = {"s3vectors:ssetype": ["aws:kms"], "aws:resourcetag/a": ["1"]}
    assert _decide([statement], facts=facts) is ALLOWED
    for name in facts:
        assert _decide([statement], facts={each: facts[each] for each in facts if each != name}) is NOT_ALLOWED
    assert _decide([statement], facts=facts | {"aws:tagkeys": ["a"]}) is NOT_ALLOWED


@pytest.mark.parametrize("arn", ["ann", "arn:aws:iam::1:user/ann", "arn:aws:s3:::demo", f"{USER}*", ""])
def test_not_a_principal(arn: str) -> None:
    """A caller is a user, a role, a session or an account."""
    with pytest.raises(iam.PolicyFault):
        iam.caller(arn)
