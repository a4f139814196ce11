"""The synthesised templates, row by row of what was asked for. Skipped where CDK is not installed."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.definition import backfill as backfill_definition
from infra.definition import embedder as embedder_definition
from infra.template import Deployed, Template, definition, exports, resources, roles, variables
from nestor.adapters.nova import EMBEDDER_ID
from nestor.settings.api import ApiSettings
from nestor.settings.functions import (
    EmbedSettings,
    ForgetSettings,
    PlanSettings,
    QuerySettings,
    RedriveSettings,
    ShadowSettings,
    StoreSettings,
)
from nestor.settings.migration import MigrateSettings

SETTINGS: dict[str, Any] = {
    "plan": PlanSettings,
    "embed_sync": EmbedSettings,
    "store_embeddings": StoreSettings,
    "query_handler": QuerySettings,
    "api": ApiSettings,
    "shadow_query": ShadowSettings,
    "forget": ForgetSettings,
    "redrive": RedriveSettings,
    "list_placeholder": MigrateSettings,
    "migrate_assets": MigrateSettings,
}
ASKING = {"dev": {"query_handler", "api"}, "prod": {"query_handler", "api", "shadow_query"}}
FUNCTIONS = ("plan", "embed_sync", "store_embeddings", "forget", "redrive", "index_settings")


def one(template: Template, kind: str) -> dict[str, Any]:
    """Return the properties of the only resource of a type."""
    ((_, properties),) = resources(template, kind)
    return dict(properties)


def bucket(template: Template, stem: str) -> dict[str, Any]:
    """Return the properties of the bucket whose logical id begins so."""
    (found,) = (dict(each) for name, each in resources(template, "AWS::S3::Bucket") if name.startswith(stem))
    return found


def answering(template: Template, route: Mapping[str, Any]) -> str:
    """Return the name of the function that answers a route, by payload format 2.0."""
    integration = template["Resources"][route["Target"]["Fn::Join"][1][-1]["Ref"]]["Properties"]
    assert (integration["IntegrationType"], integration["PayloadFormatVersion"]) == ("AWS_PROXY", "2.0")
    function = template["Resources"][integration["IntegrationUri"]["Fn::GetAtt"][0]]["Properties"]
    return str(function["FunctionName"])


def test_the_vector_bucket_and_its_four_indexes(embedder: Template, name: str) -> None:
    """256, 384, 1024 and 3072 components, cosine, three keys that are not filtered by, bound to the embedder."""
    assert one(embedder, "AWS::S3Vectors::VectorBucket")["VectorBucketName"] == f"nestor-{name}"
    found = {properties["IndexName"]: properties for _, properties in resources(embedder, "AWS::S3Vectors::Index")}
    assert sorted(found) == ["embeddings-1024d", "embeddings-256d", "embeddings-3072d", "embeddings-384d"]
    for index, properties in found.items():
        assert properties["Dimension"] == int(index.removeprefix("embeddings-").removesuffix("d"))
        assert properties["DistanceMetric"] == "cosine"
        assert properties["DataType"] == "float32"
        assert properties["VectorBucketName"] == f"nestor-{name}"
        assert properties["MetadataConfiguration"] == {"NonFilterableMetadataKeys": ["source_uri", "text", "code"]}
        assert {"Key": "nestor:embedder", "Value": EMBEDDER_ID} in properties["Tags"]


@pytest.mark.parametrize("kind", ["AWS::S3::Bucket", "AWS::S3Vectors::VectorBucket", "AWS::S3Vectors::Index"])
def test_data_survives_the_stack(embedder: Template, kind: str) -> None:
    """Neither deletion nor replacement takes what was stored."""
    kept = [each for each in embedder["Resources"].values() if each["Type"] == kind]
    assert kept
    assert {(each["DeletionPolicy"], each["UpdateReplacePolicy"]) for each in kept} == {("Retain", "Retain")}


def test_buckets_are_private_and_encrypted(embedder: Template) -> None:
    """No public access, no access lists, TLS only."""
    protected = {properties["Bucket"]["Ref"] for _, properties in resources(embedder, "AWS::S3::BucketPolicy")}
    for logical_id, properties in resources(embedder, "AWS::S3::Bucket"):
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["BucketEncryption"]
        assert logical_id in protected
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
        for _, policy in resources(embedder, kind):
            denials = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in [each["Condition"] for each in denials]


def test_what_each_bucket_is_for(embedder: Template) -> None:
    """The source sends events, work expires, state has versions and never expires; what tells of the dead goes."""
    source, work, state = (bucket(embedder, stem) for stem in ("Source", "Work", "State"))
    assert source["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert [rule.get("ExpirationInDays") for rule in work["LifecycleConfiguration"]["Rules"]] == [7]
    assert state["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = state["LifecycleConfiguration"]["Rules"]
    assert (rule.get("ExpirationInDays"), rule["ExpiredObjectDeleteMarker"]) == (None, True)


def test_pages_that_may_ask_may_upload(dev: dict[str, Deployed], whole: dict[str, Deployed]) -> None:
    """A page of an allowed origin is let to see that its form was stored; without one nobody is."""
    source = bucket(whole["embedder"].template, "Source")
    (rule,) = source["CorsConfiguration"]["CorsRules"]
    assert (rule["AllowedOrigins"], rule["AllowedMethods"]) == (["https://search.example.com"], ["POST"])
    assert "CorsConfiguration" not in bucket(dev["embedder"].template, "Source")


def test_uploads_start_the_machine_and_deletions_wait_in_a_queue(embedder: Template) -> None:
    """Each rule has one target, with a queue for what cannot be delivered."""
    rules = {
        properties["EventPattern"]["detail-type"][0]: properties
        for _, properties in resources(embedder, "AWS::Events::Rule")
    }
    assert set(rules) == {"Object Created", "Object Deleted"}
    (source,) = (name for name, _ in resources(embedder, "AWS::S3::Bucket") if name.startswith("Source"))
    for rule in rules.values():
        assert rule["EventPattern"]["source"] == ["aws.s3"]
        assert rule["EventPattern"]["detail"] == {"bucket": {"name": [{"Ref": source}]}}
        (target,) = rule["Targets"]
        assert target["DeadLetterConfig"]["Arn"]
    (created,) = rules["Object Created"]["Targets"]
    assert embedder["Resources"][created["Arn"]["Ref"]]["Properties"]["StateMachineName"].endswith("-embedder")
    (deleted,) = rules["Object Deleted"]["Targets"]
    queue = embedder["Resources"][deleted["Arn"]["Fn::GetAtt"][0]]["Properties"]
    assert queue["QueueName"].endswith("-forget-queue")
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    mapping = one(embedder, "AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == deleted["Arn"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_function_has_what_a_function_needs(embedder: Template, chatbot: Template, name: str) -> None:
    """arm64, Python 3.13, a bounded number of copies, its own role, its own log group with an end."""
    functions = [p for template in (embedder, chatbot) for _, p in resources(template, "AWS::Lambda::Function")]
    assert len(functions) == len(FUNCTIONS) + len(ASKING[name])
    assert len({str(function["Role"]) for function in functions}) == len(functions)
    assert len({str(function["LoggingConfig"]["LogGroup"]) for function in functions}) == len(functions)
    for function in functions:
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["ReservedConcurrentExecutions"] > 0
        assert function["FunctionName"].startswith(f"nestor-{name}-")
    days = {"dev": 7, "prod": 90}[name]
    groups = [p for template in (embedder, chatbot) for _, p in resources(template, "AWS::Logs::LogGroup")]
    assert {group["RetentionInDays"] for group in groups} == {days}


@pytest.mark.parametrize("part", SETTINGS)
def test_each_environment_validates_as_its_settings(whole: dict[str, Deployed], part: str) -> None:
    """The names and values that the stack sets are those that the handler reads."""
    deployed = whole["chatbot" if part in ASKING["prod"] else "embedder"]
    environment = deployed.variables(part)
    SETTINGS[part].from_environment(environment)
    assert set(SETTINGS[part].VARIABLES) <= set(environment)
    assert environment["POWERTOOLS_SERVICE_NAME"] == part
    assert environment["POWERTOOLS_METRICS_NAMESPACE"] == "Nestor"


def test_what_an_environment_has_is_what_the_question_function_is_told(whole: dict[str, Deployed]) -> None:
    """The values of the configuration arrive as such."""
    settings = QuerySettings.from_environment(whole["chatbot"].variables("query_handler"))
    assert (settings.strategy, settings.placeholder) == ("direct", "s3://placeholder/embeddings")
    assert (settings.questions_days, settings.shadow_rate) == (30, 0.01)
    assert settings.questions_table
    assert settings.shadow_url.endswith("/nestor-dev-shadow-queue")


def test_what_the_application_is_told(whole: dict[str, Deployed]) -> None:
    """What the question function is, the buckets of the pipeline, and who answers the chat; never the shadow queue."""
    told = whole["chatbot"].variables("api")
    settings = ApiSettings.from_environment(told)
    pipeline = whole["embedder"].variables("forget")
    assert settings.source_bucket == pipeline["NESTOR_SOURCE_BUCKET"]
    assert settings.state_bucket == pipeline["NESTOR_STATE_BUCKET"]
    assert (settings.chat_model, settings.collection_from_prefix) == ("us.amazon.nova-lite-v1:0", False)
    asking = whole["chatbot"].variables("query_handler")
    shared = {name for name in asking if not re.search("SHADOW|POWERTOOLS", name)}
    assert {name: told[name] for name in shared} == {name: asking[name] for name in shared}
    assert not [name for name in told if "SHADOW" in name]


def test_nothing_is_made_that_is_not_asked_for(dev: dict[str, Deployed]) -> None:
    """Dev has neither shadow queries nor a table, a topic or a migration, and its function hears of none."""
    for deployed in dev.values():
        kinds = {each["Type"] for each in deployed.template["Resources"].values()}
        assert not kinds & {"AWS::DynamoDB::Table", "AWS::SNS::Topic"}
    variables = dev["chatbot"].variables("query_handler")
    assert not [name for name in variables if re.search("SHADOW|QUESTIONS|PLACEHOLDER", name)]
    assert not list(resources(dev["chatbot"].template, "AWS::SQS::Queue"))
    with pytest.raises(KeyError):
        dev["embedder"].definition("migration")


def test_shadow_queries_wait_in_a_queue_with_dead_letters(whole: dict[str, Deployed]) -> None:
    """Three tries, in as many copies as are reserved; a failed one does not bring back its neighbours."""
    template = whole["chatbot"].template
    queues = {properties["QueueName"]: properties for _, properties in resources(template, "AWS::SQS::Queue")}
    assert set(queues) == {"nestor-dev-shadow-queue", "nestor-dev-shadow-dead-letters"}
    assert queues["nestor-dev-shadow-queue"]["RedrivePolicy"]["maxReceiveCount"] == 3
    assert all(each["SqsManagedSseEnabled"] for each in queues.values())
    mapping = one(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_the_table_of_questions(chatbot: Template, whole: dict[str, Deployed], name: str) -> None:
    """By digest, paid by use, forgetting by itself; in production encrypted by the environment's key, and kept."""
    template = chatbot if name == "prod" else whole["chatbot"].template
    table = one(template, "AWS::DynamoDB::Table")
    assert table["AttributeDefinitions"] == [{"AttributeName": "question", "AttributeType": "B"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert ("KMSMasterKeyId" in table.get("SSESpecification", {})) is (name == "prod")
    (kept,) = (each for each in template["Resources"].values() if each["Type"] == "AWS::DynamoDB::Table")
    assert kept["DeletionPolicy"] == {"prod": "Retain", "dev": "Delete"}[name]


def test_the_machines_are_those_that_are_tested(embedder: Template, name: str) -> None:
    """The template holds the definitions of infra.definition, with addresses in every place."""
    from infra.config import load

    pipeline = load(name).pipeline
    for part, made in (("embedder", embedder_definition(pipeline)), ("backfill", backfill_definition(pipeline))):
        found = definition(embedder, part)
        assert found["States"].keys() == made["States"].keys()
        assert "${" not in str(found)


def test_a_deployed_machine_speaks_of_deployed_parts(dev: dict[str, Deployed]) -> None:
    """Every address in the plain definition is one that AWS would give."""
    states = dev["embedder"].definition("embedder")["States"]
    assert states["Plan"]["Resource"] == "arn:aws:lambda:us-east-1:123456789012:function:nestor-dev-plan"
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/nestor-dev-dead-letters"
    assert states["DeadLetter"]["Parameters"]["QueueUrl"] == url


def test_the_api_is_closed_and_throttled(chatbot: Template, name: str) -> None:
    """Every route is signed by IAM, with a limit of haste and a log of who came when; questions have their function."""
    routes = {route["RouteKey"]: route for _, route in resources(chatbot, "AWS::ApiGatewayV2::Route")}
    assert set(routes) == {"POST /query", *(f"{method} /{{proxy+}}" for method in ("GET", "HEAD", "POST", "DELETE"))}
    assert {route["AuthorizationType"] for route in routes.values()} == {"AWS_IAM"}
    answers = {key: answering(chatbot, route) for key, route in routes.items()}
    assert answers.pop("POST /query") == f"nestor-{name}-query-handler"
    assert set(answers.values()) == {f"nestor-{name}-api"}
    stage = one(chatbot, "AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"dev": 20, "prod": 100}[name]
    assert stage["AccessLogSettings"]["DestinationArn"]
    assert "queryString" not in stage["AccessLogSettings"]["Format"]
    assert "CorsConfiguration" not in one(chatbot, "AWS::ApiGatewayV2::Api")


def test_the_settings_that_cloudformation_lacks(embedder: Template) -> None:
    """The custom resource comes after all indexes, and names them."""
    (settings,) = (each for each in embedder["Resources"].values() if each["Type"] == "Custom::IndexSettings")
    assert settings["Properties"]["IndexMode"] == "ENHANCED"
    assert (settings["Properties"]["TextKey"], settings["Properties"]["TextLanguage"]) == ("text", "en")
    assert len(settings["Properties"]["IndexArns"]) == 4
    assert {name for name, _ in resources(embedder, "AWS::S3Vectors::Index")} <= set(settings["DependsOn"])


def test_a_key_of_ones_own_is_used_everywhere(embedder: Template, name: str) -> None:
    """In prod buckets, indexes, queues and logs name the key; in dev there is none."""
    keys = [logical_id for logical_id, _ in resources(embedder, "AWS::KMS::Key")]
    assert len(keys) == {"dev": 0, "prod": 1}[name]
    for key in keys:
        used = (
            *(p["BucketEncryption"] for _, p in resources(embedder, "AWS::S3::Bucket")),
            *(p["KmsMasterKeyId"] for _, p in resources(embedder, "AWS::SQS::Queue")),
            *(p["KmsKeyId"] for _, p in resources(embedder, "AWS::Logs::LogGroup")),
            one(embedder, "AWS::S3Vectors::VectorBucket")["EncryptionConfiguration"],
        )
        assert all(key in str(each) for each in used)


def test_logs_may_be_encrypted_by_the_key(embedder: Template) -> None:
    """CloudWatch Logs may do with the key all that its guide asks for."""
    for _, properties in resources(embedder, "AWS::KMS::Key"):
        (told,) = [
            statement["Action"]
            for statement in properties["KeyPolicy"]["Statement"]
            if str(statement["Principal"].get("Service")).startswith("logs.")
        ]
        asked = ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey")
        assert {f"kms:{action}" for action in asked} <= set(told)


def test_everything_is_tagged(embedder: Template, name: str) -> None:
    """Costs can be told apart by environment."""
    for kind in ("AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::S3Vectors::Index", "AWS::SQS::Queue"):
        for _, properties in resources(embedder, kind):
            assert {"Key": "environment", "Value": name} in properties["Tags"]


def test_the_stacks_can_be_deployed_apart(chatbot: Template, embedder: Template) -> None:
    """The chatbot knows the indexes by name; the application's two buckets and a key of one's own are imported."""
    imports = set(re.findall(r"'Fn::ImportValue': '([^']*)'", str(chatbot)))
    assert all(re.search("Key|Source|State", name) for name in imports)
    assert imports <= set(exports(embedder))
    assert variables(chatbot, "query_handler")["VECTOR_BUCKET"].startswith("nestor-")


def test_the_names_of_roles_are_parts(embedder: Template, chatbot: Template, name: str) -> None:
    """One role for each function, each machine and the rule that starts one."""
    assert set(roles(embedder)) == {*FUNCTIONS, "embedder", "backfill", "uploads"}
    assert set(roles(chatbot)) == ASKING[name]


@pytest.mark.parametrize("environment", ["dev", "prod", "whole"])
def test_cfn_lint_has_nothing_to_say(assemblies: Callable[[str], Path], environment: str) -> None:
    """But for W3005, dependencies that CDK names twice."""
    paths = [str(path) for path in assemblies(environment).glob("*.template.json")]
    assert len(paths) == 2
    command = [str(Path(sys.executable).with_name("cfn-lint")), "-i", "W3005", "--", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("environment", ["dev", "prod", "whole"])
def test_cdk_nag_has_nothing_to_say(assemblies: Callable[[str], Path], environment: str) -> None:
    """Every finding of the AwsSolutions rules is mended, or accepted beside the resource with a reason."""
    (judged,) = json.loads((assemblies(environment) / "validation-report.json").read_text())["pluginReports"]
    assert (judged["pluginName"], judged["conclusion"], judged["violations"]) == ("AwsSolutions", "success", [])
    assert judged["suppressedViolations"]
    assert all(len(accepted["reason"]) > 30 for accepted in judged["suppressedViolations"])
