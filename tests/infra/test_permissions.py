"""What each role may do: exactly this."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from infra import permissions
from infra.template import Deployed, Template, resources, roles, statements

INDEXES = [
    f"arn:aws:s3vectors:us-east-1:123456789012:bucket/nestor-dev/index/embeddings-{d}d" for d in (256, 384, 1024, 3072)
]
MODEL = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-multimodal-embeddings-v1:0"
CHAT = (
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
    "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0",
)
JOBS = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/*"
SOURCE, WORK, STATE = "arn:aws:s3:::source", "arn:aws:s3:::work", "arn:aws:s3:::state"
STATES = "arn:aws:states:us-east-1:123456789012:"
EMBEDDER = STATES + "stateMachine:nestor-dev-embedder"
QUEUES = "arn:aws:sqs:us-east-1:123456789012:nestor-dev-"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:nestor-dev-"
RULE = "arn:aws:events:us-east-1:123456789012:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"

Granted = dict[str, list[str]]


def on(action_list: str, *resources: str) -> Granted:
    """Return each action of a service with the resources it is granted on."""
    service, _, actions = action_list.partition(":")
    return {f"{service}:{action}": sorted(resources) for action in actions.split()}


def logs(part: str) -> Granted:
    """Return what a function may do in its log group."""
    return on(
        "logs:CreateLogStream PutLogEvents", f"arn:aws:logs:us-east-1:123456789012:log-group:/nestor/dev/{part}:*"
    )


MANIFESTS = f"{STATE}/manifests/*"
TAKE = "sqs:ReceiveMessage DeleteMessage GetQueueAttributes"
DELIVERY = on(
    "logs:CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries "
    "PutResourcePolicy DescribeResourcePolicies DescribeLogGroups",
    "*",
)
PLACEHOLDER = {
    **on("s3:ListBucket", "arn:aws:s3:::placeholder"),
    **on("s3:GetObject", "arn:aws:s3:::placeholder/embeddings/*"),
}
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/questions"
ASKING = ("query_handler", "api", "shadow_query")
"""Parts of the chatbot's stack."""
EXPECTED: dict[str, Granted] = {
    "plan": {
        **logs("plan"),
        **on("s3:GetObject", f"{SOURCE}/*", MANIFESTS),
        **on("s3:ListBucket", SOURCE, STATE),
        **on("s3:PutObject", f"{WORK}/plans/*", MANIFESTS),
        **on("s3vectors:GetIndex ListTagsForResource", *INDEXES),
    },
    "embed_sync": {
        **logs("embed_sync"),
        **on("bedrock:InvokeModel", MODEL),
        **on("s3:GetObject", f"{SOURCE}/*", f"{WORK}/plans/*", f"{WORK}/async/*"),
        **on("s3:PutObject", f"{WORK}/embeddings/*"),
        **on("s3:ListBucket", WORK),
    },
    "store_embeddings": {
        **logs("store_embeddings"),
        **on("s3:GetObject", f"{SOURCE}/*", f"{WORK}/*", MANIFESTS),
        **on("s3:ListBucket", SOURCE, WORK, STATE),
        **on("s3:PutObject", MANIFESTS),
        **on("s3vectors:PutVectors DeleteVectors", *INDEXES),
    },
    "query_handler": {
        **logs("query_handler"),
        **on("bedrock:InvokeModel", MODEL),
        **on("s3vectors:QueryVectors GetVectors GetIndex ListTagsForResource", *INDEXES),
        **on("sqs:SendMessage", QUEUES + "shadow-queue"),
        **on("dynamodb:GetItem PutItem", TABLE),
        **PLACEHOLDER,
    },
    "api": {
        **logs("api"),
        **on("bedrock:InvokeModel", MODEL),
        **on("bedrock:InvokeModelWithResponseStream", *CHAT),
        **on("s3vectors:QueryVectors GetVectors GetIndex ListTagsForResource", *INDEXES),
        **on("dynamodb:GetItem PutItem", TABLE),
        **on("s3:ListBucket", SOURCE, STATE, "arn:aws:s3:::placeholder"),
        **on("s3:GetObject", f"{SOURCE}/*", MANIFESTS, "arn:aws:s3:::placeholder/embeddings/*"),
        **on("s3:PutObject", f"{SOURCE}/uploads/*"),
        **on("s3:DeleteObject", f"{SOURCE}/*"),
    },
    "shadow_query": {
        **logs("shadow_query"),
        **on("s3vectors:QueryVectors GetVectors", *INDEXES),
        **on(TAKE, QUEUES + "shadow-queue"),
    },
    "list_placeholder": {
        **logs("list_placeholder"),
        **PLACEHOLDER,
        **on("s3:PutObject", f"{WORK}/migration/*"),
        **on("s3vectors:GetIndex ListTagsForResource", *INDEXES),
    },
    "migrate_assets": {
        **logs("migrate_assets"),
        **on("s3:ListBucket", "arn:aws:s3:::placeholder", WORK, STATE),
        **on("s3:GetObject", "arn:aws:s3:::placeholder/embeddings/*", f"{WORK}/migration/*", MANIFESTS),
        **on("s3:PutObject", f"{WORK}/migration/*", MANIFESTS),
        **on("s3vectors:PutVectors DeleteVectors GetIndex ListTagsForResource", *INDEXES),
    },
    "migration": {
        **DELIVERY,
        **on("lambda:InvokeFunction", LAMBDA + "list-placeholder", LAMBDA + "migrate-assets"),
        **on("states:StartExecution", STATES + "stateMachine:nestor-dev-migration"),
        **on("states:DescribeExecution StopExecution", STATES + "execution:nestor-dev-migration/*"),
        **on("s3:ListBucket", WORK),
        **on("s3:GetObject PutObject", f"{WORK}/migration-results/*"),
    },
    "forget": {
        **logs("forget"),
        **on("s3:GetObject", f"{SOURCE}/*", MANIFESTS),
        **on("s3:ListBucket", SOURCE, STATE),
        **on("s3:PutObject DeleteObject", MANIFESTS),
        **on("s3vectors:DeleteVectors", *INDEXES),
        **on(TAKE, QUEUES + "forget-queue"),
    },
    "redrive": {
        **logs("redrive"),
        **on(TAKE, QUEUES + "dead-letters"),
        **on("states:StartExecution", EMBEDDER),
    },
    "index_settings": {
        **logs("index_settings"),
        **on("s3vectors:GetIndex UpdateIndexMode UpdateMetadataConfiguration", *INDEXES),
    },
    "uploads": on("states:StartExecution", EMBEDDER),
    "embedder": {
        **DELIVERY,
        **on(
            "lambda:InvokeFunction", *(LAMBDA + name for name in ("plan", "embed-sync", "store-embeddings", "forget"))
        ),
        **on("bedrock:InvokeModel", MODEL, JOBS),
        **on("bedrock:GetAsyncInvoke", JOBS),
        **on("s3:GetObject", f"{SOURCE}/*"),
        **on("s3:PutObject", f"{WORK}/async/*"),
        **on("sqs:SendMessage", QUEUES + "dead-letters"),
    },
    "backfill": {
        **DELIVERY,
        **on("states:StartExecution", EMBEDDER, STATES + "stateMachine:nestor-dev-backfill"),
        **on(
            "states:DescribeExecution StopExecution",
            STATES + "execution:nestor-dev-embedder:*",
            STATES + "execution:nestor-dev-backfill/*",
        ),
        **on("events:PutTargets PutRule DescribeRule", RULE),
        **on("s3:ListBucket", SOURCE),
        **on("s3:GetObject PutObject", f"{WORK}/backfill/*"),
    },
}


@pytest.fixture(scope="module")
def deployed(whole: dict[str, Deployed]) -> dict[str, Deployed]:
    """Return the templates with buckets of known names."""
    stems = {"Source": "source", "Work": "work", "State": "state"}
    template = whole["embedder"].template
    addresses: dict[str, str] = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::S3::Bucket":
            name = stems[logical_id[:-8]]
            addresses |= {logical_id: name, f"{logical_id}.Arn": f"arn:aws:s3:::{name}"}
    asking = whole["chatbot"].template
    ((table, _),) = resources(asking, "AWS::DynamoDB::Table")
    embedder = Deployed(template, addresses=addresses)
    return {
        "embedder": embedder,
        "chatbot": Deployed(asking, addresses={f"{table}.Arn": TABLE, **embedder.exports}),
    }


@pytest.mark.parametrize("part", EXPECTED)
def test_each_role_may_do_exactly_this(deployed: dict[str, Deployed], part: str) -> None:
    """Every action with every resource; nothing is refused, conditioned or left out."""
    granted: Granted = {}
    for statement in deployed["chatbot" if part in ASKING else "embedder"].policy(part)["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            granted.setdefault(action, []).extend(statement["Resource"])
    assert {action: sorted(places) for action, places in granted.items()} == EXPECTED[part]


def test_there_is_no_other_role_and_no_other_policy(whole: dict[str, Deployed]) -> None:
    """No managed policy, no policy inside a role, and no role that the table above does not have."""
    assert {part for each in whole.values() for part in roles(each.template)} == set(EXPECTED)
    for each in whole.values():
        for resource in each.template["Resources"].values():
            if resource["Type"] == "AWS::IAM::Role":
                assert not {"ManagedPolicyArns", "Policies"} & resource["Properties"].keys()
            assert resource["Type"] not in {"AWS::IAM::ManagedPolicy", "AWS::IAM::UserPolicy", "AWS::IAM::RolePolicy"}


def test_no_action_has_a_wildcard(whole: dict[str, Deployed]) -> None:
    """Actions are named one by one."""
    for each in whole.values():
        for part in roles(each.template):
            assert not [a for statement in statements(each.template, part) for a in statement["Action"] if "*" in a]


def test_only_its_own_service_takes_a_role(whole: dict[str, Deployed]) -> None:
    """Functions are Lambda's, machines are Step Functions', the rule's is EventBridge's."""
    services = {"embedder": "states", "backfill": "states", "migration": "states", "uploads": "events"}
    for each in whole.values():
        for part, logical_id in roles(each.template).items():
            trust = each.template["Resources"][logical_id]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            expected = {"Service": f"{services.get(part, 'lambda')}.amazonaws.com"}
            assert [statement["Principal"] for statement in trust] == [expected]


def test_the_page_has_the_table(whole: dict[str, Deployed], root: Path) -> None:
    """docs/aws.md shows what is synthesised; `python -m infra.permissions --write` mends it."""
    page = (root / "docs/aws.md").read_text()
    templates: list[Template] = [whole["embedder"].template, whole["chatbot"].template]
    assert permissions.page_with(permissions.table(templates), page=page) == page


TAGGING = {
    "AWS::ApiGatewayV2::Api": ("apigateway:POST", "arn:aws:apigateway:us-east-1::/apis"),
    "AWS::ApiGatewayV2::Stage": ("apigateway:POST", "arn:aws:apigateway:us-east-1::/apis/1/stages"),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch:TagResource",
        "arn:aws:cloudwatch:us-east-1:1:alarm:nestor-dev-forget-queue",
    ),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:TagResource", "arn:aws:cloudwatch::1:dashboard/nestor-dev-dashboard"),
    "AWS::DynamoDB::Table": (
        "dynamodb:TagResource",
        "arn:aws:dynamodb:us-east-1:1:table/NovaMMEChatbotStack-Questions1",
    ),
    "AWS::Events::Rule": ("events:TagResource", "arn:aws:events:us-east-1:1:rule/nestor-dev-uploads"),
    "AWS::IAM::Role": ("iam:TagRole", "arn:aws:iam::1:role/NovaMMEEmbedderStack-Plan1"),
    "AWS::KMS::Key": ("kms:TagResource", "arn:aws:kms:us-east-1:1:key/1"),
    "AWS::Lambda::EventSourceMapping": ("lambda:TagResource", "arn:aws:lambda:us-east-1:1:event-source-mapping:1"),
    "AWS::Lambda::Function": ("lambda:TagResource", "arn:aws:lambda:us-east-1:1:function:nestor-dev-plan"),
    "AWS::Logs::LogGroup": ("logs:TagResource", "arn:aws:logs:us-east-1:1:log-group:/nestor/dev/plan"),
    "AWS::S3::Bucket": ("s3:PutBucketTagging", "arn:aws:s3:::novammeembedderstack-source1"),
    "AWS::S3Vectors::Index": ("s3vectors:TagResource", "arn:aws:s3vectors:us-east-1:1:bucket/nestor-dev/index/i"),
    "AWS::S3Vectors::VectorBucket": ("s3vectors:TagResource", "arn:aws:s3vectors:us-east-1:1:bucket/nestor-dev"),
    "AWS::SNS::Topic": ("sns:TagResource", "arn:aws:sns:us-east-1:1:nestor-dev-alarms"),
    "AWS::SQS::Queue": ("sqs:TagQueue", "arn:aws:sqs:us-east-1:1:nestor-dev-forget-queue"),
    "AWS::StepFunctions::StateMachine": (
        "states:TagResource",
        "arn:aws:states:us-east-1:1:stateMachine:nestor-dev-backfill",
    ),
}
"""What CloudFormation does at each kind of resource that the stacks tag, and at what."""


def test_the_role_that_deploys_may_tag_all_that_is_tagged(whole: dict[str, Deployed], root: Path) -> None:
    """Everything is tagged when it is made, so a policy without one of these ends the first deployment half way."""
    page = (root / "docs/aws.md").read_text().partition("## The role that deploys")[2]
    policy = json.loads(page.partition("```json")[2].partition("```")[0])["Statement"]
    tagged = {
        resource["Type"]
        for each in whole.values()
        for resource in each.template["Resources"].values()
        if "Tags" in resource.get("Properties", {})
    }
    assert tagged <= TAGGING.keys()
    missing = {kind for kind in tagged if not _may(policy, *TAGGING[kind])}
    assert not missing


def _may(policy: list[dict[str, Any]], action: str, address: str) -> bool:
    return any(
        any(fnmatchcase(action, pattern) for pattern in _listed(statement["Action"]))
        and any(fnmatchcase(address, pattern) for pattern in _listed(statement["Resource"]))
        for statement in policy
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
