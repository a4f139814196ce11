"""The state machines in Amazon States Language (JSONPath), with `${Name}` where an address belongs; pure."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from infra.config import Pipeline

State: TypeAlias = dict[str, Any]

THROTTLED: Final = (
    "Lambda.TooManyRequestsException",
    "BedrockRuntime.ThrottlingException",
    "BedrockRuntime.ServiceQuotaExceededException",  # too many jobs at once
)
PASSING: Final = (
    "Retryable",  # raised by our own functions
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Runtime.ExitError",  # the process died
    "Sandbox.Timedout",
    "States.Timeout",
    "BedrockRuntime.InternalServerException",
    "BedrockRuntime.ServiceUnavailableException",
    "BedrockRuntime.SdkClientException",
)
"""Errors that another try may not meet again."""


def embedder(pipeline: Pipeline) -> State:
    """Return the machine that brings one object, as it is now, into the indexes.

    Addresses: Plan, EmbedSync, StoreEmbeddings and Forget (function ARNs), DeadLetters (queue URL).
    The document that flows: `detail` (the event), `plan`, `round` (`attempt`, `batches`, `output_uri`), `job`,
    `job_state`, `stored`, `error`.
    """
    return {
        "Comment": "Embeds one object of the source bucket and stores it in the four indexes.",
        "StartAt": "Plan",
        "TimeoutSeconds": pipeline.timeout_seconds,
        "States": {
            **_planning(pipeline),
            **_embedding(pipeline),
            **_job(pipeline),
            **_storing(pipeline),
            **_ends(pipeline),
        },
    }


def backfill(pipeline: Pipeline) -> State:
    """Return the machine that starts `embedder` for every object below a prefix: input {"prefix": ""}.

    Addresses: Embedder (machine ARN), SourceBucket and WorkBucket (names).
    """
    run = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {
            "StateMachineArn": "${Embedder}",
            "Input": {
                "detail.$": "$.detail",
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id",
            },
        },
        "ResultPath": None,
        "Retry": [
            _retry(["StepFunctions.ExecutionLimitExceededException"], attempts=pipeline.throttle_attempts, of=pipeline),
            _retry(["StepFunctions.SdkClientException"], attempts=pipeline.retry_attempts, of=pipeline),
        ],
        # What failed is in the dead letters already; here it counts towards what is tolerated.
        "Catch": [_catch("NotEmbedded")],
        "End": True,
    }
    each = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": "${SourceBucket}", "Prefix.$": "$.prefix"},
        },
        "ItemSelector": {
            "detail": {"bucket": {"name": "${SourceBucket}"}, "object": {"key.$": "$$.Map.Item.Value.Key"}}
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Embed",
            "States": {"Embed": run, "NotEmbedded": _failure()},
        },
        "MaxConcurrency": pipeline.backfill_at_once,
        "ToleratedFailurePercentage": float(pipeline.backfill_tolerated_percent),
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "${WorkBucket}", "Prefix": "backfill"},
        },
        "End": True,
    }
    return {
        "Comment": "Embeds every object below a prefix of the source bucket.",
        "StartAt": "EachObject",
        "States": {"EachObject": each},
    }


def migration(pipeline: Pipeline) -> State:
    """Return the machine that moves the placeholder into the indexes: input {}, or {"embedder": id} to tell whose.

    Addresses: ListPlaceholder and MigrateAssets (function ARNs), WorkBucket (name).
    """
    inventory = {"run.$": "$$.Execution.Name", "embedder.$": "$.embedder"}
    move = _task("${MigrateAssets}", None, into="$", then=None, catch="NotMigrated", of=pipeline)
    each = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": "${WorkBucket}", "Prefix.$": "$.inventory.prefix"},
        },
        "ItemSelector": {"batch_key.$": "$$.Map.Item.Value.Key", "embedder.$": "$.inventory.embedder"},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "MigrateAssets",
            "States": {"MigrateAssets": move, "NotMigrated": _failure()},
        },
        "MaxConcurrency": pipeline.migrate_at_once,
        "ToleratedFailurePercentage": float(pipeline.backfill_tolerated_percent),
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "${WorkBucket}", "Prefix": "migration-results"},
        },
        "ResultPath": "$.results",
        "Next": "Done",
    }
    return {
        "Comment": "Moves the embeddings of the placeholder into the four indexes.",
        "StartAt": "IsEmbedderTold",
        "States": {
            "IsEmbedderTold": _choice(
                [{"Variable": "$.embedder", "IsPresent": True, "Next": "Inventory"}], default="NotTold"
            ),
            "NotTold": {"Type": "Pass", "Result": None, "ResultPath": "$.embedder", "Next": "Inventory"},
            "Inventory": _task(
                "${ListPlaceholder}", inventory, into="$.inventory", then="IsEmpty", catch="Failed", of=pipeline
            ),
            "IsEmpty": _choice(
                [{"Variable": "$.inventory.batches", "NumericEquals": 0, "Next": "Done"}], default="EachBatch"
            ),
            "EachBatch": each,
            "Failed": _failure(),
            "Done": {"Type": "Succeed"},
        },
    }


def _planning(pipeline: Pipeline) -> dict[str, State]:
    return {
        "Plan": _call("Plan", {"detail.$": "$.detail"}, into="$.plan", then="Route", of=pipeline),
        "Route": _choice(
            [
                _when("$.plan.route", "sync", then="FirstRound"),
                _when("$.plan.route", "async", then="StartJob"),
                _when("$.plan.route", "done", then="Done"),
                _when("$.plan.route", "forget", then="Forget"),
            ],
            default="Unreadable",
        ),
        "Unreadable": _pass(
            {"Error": "Unreadable", "Cause.$": "States.JsonToString($.plan)"}, into="$.error", then="DeadLetter"
        ),
        "Forget": _call("Forget", {"uri.$": "$.plan.uri"}, into=None, then="Done", of=pipeline),
    }


def _embedding(pipeline: Pipeline) -> dict[str, State]:
    first = {"attempt": 0, "batches.$": "$.plan.batches", "output_uri": None}
    batch = {
        "plan_key.$": "$.plan.plan_key",
        "first.$": "$$.Map.Item.Value.first",
        "last.$": "$$.Map.Item.Value.last",
    }
    return {
        "FirstRound": _pass(first, into="$.round", then="EmbedBatches"),
        "EmbedBatches": {
            "Type": "Map",
            "ItemsPath": "$.round.batches",
            "ItemSelector": batch,
            "MaxConcurrency": pipeline.batches_at_once,  # nothing bursts into Bedrock
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "EmbedBatch",
                "States": {
                    "EmbedBatch": _task(
                        "${EmbedSync}", None, into="$", then=None, catch="BatchNotEmbedded", of=pipeline
                    ),
                    "BatchNotEmbedded": _failure(),
                },
            },
            "ResultPath": None,
            "Catch": [_catch("DeadLetter")],
            "Next": "StoreEmbeddings",
        },
    }


def _job(pipeline: Pipeline) -> dict[str, State]:
    start = {
        "ModelId.$": "$.plan.model_id",
        "ModelInput.$": "$.plan.model_input",
        "OutputDataConfig": {"S3OutputDataConfig": {"S3Uri.$": "$.plan.output_uri"}},
        "ClientRequestToken.$": "$.plan.token",
    }
    # Each look comes a second later than the one before: an execution may have 25,000 events, and a look has eleven.
    started = {"InvocationArn.$": "$.InvocationArn", "pause": pipeline.poll_seconds}
    longer = {"InvocationArn.$": "$.job.InvocationArn", "pause.$": "States.MathAdd($.job.pause, 1)"}
    output = "$.job_state.OutputDataConfig.S3OutputDataConfig.S3Uri"
    bedrock = "arn:aws:states:::aws-sdk:bedrockruntime:"
    return {
        "StartJob": {
            **_task(bedrock + "startAsyncInvoke", start, into="$.job", then="WaitForJob", of=pipeline),
            "ResultSelector": started,
        },
        "WaitForJob": {"Type": "Wait", "SecondsPath": "$.job.pause", "Next": "GetJob"},
        "GetJob": _task(
            bedrock + "getAsyncInvoke",
            {"InvocationArn.$": "$.job.InvocationArn"},
            into="$.job_state",
            then="IsJobDone",
            of=pipeline,
        ),
        "IsJobDone": _choice(
            [
                _when("$.job_state.Status", "Completed", then="JobDone"),
                _when("$.job_state.Status", "Failed", then="JobFailed"),
            ],
            default="WaitLonger",
        ),
        "WaitLonger": _pass(longer, into="$.job", then="WaitForJob"),
        "JobDone": _pass({"attempt": 0, "output_uri.$": output}, into="$.round", then="StoreEmbeddings"),
        "JobFailed": _pass(
            {"Error": "JobFailed", "Cause.$": "States.JsonToString($.job_state)"}, into="$.error", then="DeadLetter"
        ),
    }


def _storing(pipeline: Pipeline) -> dict[str, State]:
    what = {"plan_key.$": "$.plan.plan_key", "output_uri.$": "$.round.output_uri", "attempt.$": "$.round.attempt"}
    again = {
        "attempt.$": "States.MathAdd($.round.attempt, 1)",
        "batches.$": "$.stored.batches",
        "output_uri.$": "$.round.output_uri",
    }
    return {
        "StoreEmbeddings": _call("StoreEmbeddings", what, into="$.stored", then="IsStored", of=pipeline),
        "IsStored": _choice(
            [
                _when("$.stored.outcome", "stored", then="Done"),
                _when("$.stored.outcome", "changed", then="Plan"),
                _when("$.stored.outcome", "retry", then="NextRound"),
            ],
            default="NotStored",
        ),
        "NextRound": _pass(again, into="$.round", then="EmbedBatches"),
        "NotStored": _pass(
            {"Error": "UnknownOutcome", "Cause.$": "States.JsonToString($.stored)"}, into="$.error", then="DeadLetter"
        ),
    }


def _ends(pipeline: Pipeline) -> dict[str, State]:
    letter = {
        "execution.$": "$$.Execution.Id",
        "input.$": "$$.Execution.Input",
        "error.$": "$.error",
    }
    keep = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "${DeadLetters}", "MessageBody": letter},
        "ResultPath": None,
        "Retry": [_retry(["States.ALL"], attempts=pipeline.retry_attempts, of=pipeline)],
        "Catch": [_catch("Failed", into="$.unkept")],  # the history of the execution still has everything
        "Next": "Failed",
    }
    return {"DeadLetter": keep, "Failed": _failure(), "Done": {"Type": "Succeed"}}


def _call(function: str, payload: State, *, into: str | None, then: str, of: Pipeline) -> State:
    return _task(f"${{{function}}}", payload, into=into, then=then, of=of)


def _task(
    resource: str,
    parameters: State | None,
    *,
    into: str | None,
    then: str | None,
    of: Pipeline,
    catch: str = "DeadLetter",
) -> State:
    return {
        "Type": "Task",
        "Resource": resource,
        **({} if parameters is None else {"Parameters": parameters}),
        "ResultPath": into,
        "Retry": [
            _retry(THROTTLED, attempts=of.throttle_attempts, of=of),
            _retry(PASSING, attempts=of.retry_attempts, of=of),
        ],
        "Catch": [_catch(catch)],
        **({"End": True} if then is None else {"Next": then}),
    }


def _retry(errors: Iterable[str], *, attempts: int, of: Pipeline) -> State:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": of.retry_seconds,
        "BackoffRate": 2,
        "MaxDelaySeconds": of.retry_most_seconds,
        "MaxAttempts": attempts,
        "JitterStrategy": "FULL",
    }


def _catch(state: str, *, into: str = "$.error") -> State:
    return {"ErrorEquals": ["States.ALL"], "ResultPath": into, "Next": state}


def _failure() -> State:
    return {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"}


def _choice(choices: list[State], *, default: str) -> State:
    return {"Type": "Choice", "Choices": choices, "Default": default}


def _when(variable: str, value: str, *, then: str) -> State:
    return {"Variable": variable, "StringEquals": value, "Next": then}


def _pass(parameters: State, *, into: str, then: str) -> State:
    return {"Type": "Pass", "Parameters": parameters, "ResultPath": into, "Next": then}
