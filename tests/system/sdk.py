"""How Step Functions calls other services, which moto leaves out: names of members begin with a capital."""

from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import Shape, StructureShape

SERVICES = {"bedrockruntime": "bedrock-runtime"}
"""Step Functions' names of services to botocore's."""


def call(
    task: Any,
    env: Any,
    resource_runtime_part: Any,
    normalised_parameters: dict[str, Any],
    state_credentials: Any,
) -> None:
    """In place of `_eval_service_task` of moto's aws-sdk tasks."""
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client(SERVICES[task.resource.api_name], region_name=resource_runtime_part.region, config=once)
    action = task._get_boto_service_action()
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[action])
    try:
        answer = getattr(client, action)(**_to_members(normalised_parameters, model.input_shape))
    except ClientError as error:
        error.response["ResponseMetadata"].setdefault("RequestId", "none")  # moto tells it in the cause
        raise
    answer.pop("ResponseMetadata")
    env.stack.append(_to_capitals(answer))


def _to_members(value: Any, shape: Shape | None) -> Any:
    if not isinstance(shape, StructureShape) or shape.is_document_type:
        return value  # a document is the service's own business
    members = {name[0].upper() + name[1:]: name for name in shape.members}
    assert value.keys() <= members.keys(), f"unknown: {value.keys() - members.keys()}"
    return {members[name]: _to_members(each, shape.members[members[name]]) for name, each in value.items()}


def _to_capitals(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].upper() + name[1:]: _to_capitals(each) for name, each in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value
