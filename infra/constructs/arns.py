"""Addresses that are put together from names, so that one stack can speak of another's parts without importing them."""

from typing import Final

from aws_cdk import Aws

PROFILES: Final = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"})
"""What the ids of Bedrock's cross-Region inference profiles begin with."""


def _arn(service: str, resource: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"


def index(bucket: str, name: str) -> str:
    """Return the ARN of an index in a vector bucket."""
    return _arn("s3vectors", f"bucket/{bucket}/index/{name}")


def model(model_id: str) -> str:
    """Return the ARN of a foundation model; it belongs to no account."""
    return f"arn:{Aws.PARTITION}:bedrock:{Aws.REGION}::foundation-model/{model_id}"


def chat_models(model_id: str) -> list[str]:
    """Return the ARNs that asking a model for an answer touches: its own, or an inference profile's and its models'."""
    place, _, rest = model_id.partition(".")
    if place not in PROFILES:
        return [model(model_id)]
    return [_arn("bedrock", f"inference-profile/{model_id}"), f"arn:{Aws.PARTITION}:bedrock:*::foundation-model/{rest}"]


def jobs() -> str:
    """Return the ARN of every asynchronous job: Bedrock names them when they start."""
    return _arn("bedrock", "async-invoke/*")


def state_machine(name: str) -> str:
    """Return the ARN of a state machine."""
    return _arn("states", f"stateMachine:{name}")


def executions(name: str) -> str:
    """Return the ARN of every execution of a state machine: they are named when they start."""
    return _arn("states", f"execution:{name}:*")


def map_runs(name: str) -> str:
    """Return the ARN of everything that the distributed map of a state machine starts."""
    return _arn("states", f"execution:{name}/*")


def execution_events_rule() -> str:
    """Return the ARN of the rule by which Step Functions learns that a started execution has ended."""
    return _arn("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")


def log_group(name: str) -> str:
    """Return the ARN of a log group itself."""
    return _arn("logs", f"log-group:{name}")


def topic(name: str) -> str:
    """Return the ARN of a topic of SNS."""
    return _arn("sns", name)


def alarm(name: str) -> str:
    """Return the ARN of an alarm."""
    return _arn("cloudwatch", f"alarm:{name}")


def bucket(name: str) -> str:
    """Return the ARN of a bucket of S3; it belongs to no account or Region."""
    return f"arn:{Aws.PARTITION}:s3:::{name}"


def objects(name: str, prefix: str) -> str:
    """Return the ARN of all objects of a bucket below a prefix."""
    return f"{bucket(name)}/{prefix}*"
