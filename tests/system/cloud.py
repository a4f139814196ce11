"""An AWS account in this process: moto interprets the state machine, the functions run in it, each under its own role.

Real HTTP lies between the functions and S3 (moto's server), S3 Vectors (`s3vectors-local serve`, which checks
signatures and policies) and Bedrock (the stand-in).
"""

import contextlib
import copy
import functools
import importlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import numpy as np
from tests.standins.bedrock import Bedrock
from tests.system import grants
from tests.system.deployment import QUEUE, SOURCE, STATE, Deployment
from tests.system.grants import Grant, NotGranted
from tests.system.roles import ACCOUNT, BUCKET, GRANTED, REGION, key_of

from nestor import codes
from nestor.domain import DIMENSIONS, object_id
from nestor.handlers import _runtime

EVENTS = Path(__file__).parents[1] / "events"
SECRET = "system-tests-only"  # noqa: S105  # opens nothing
_HANDLERS = {"list_placeholder": "migrate_assets.inventory"}
"""Where they are not `handler` in a module of the function's name."""


Row = tuple[list[float], dict[str, Any]]
"""Vector and metadata."""
_PLACES = frozenset({"object_id", "source_uri", "file_name", "uploaded_at"})


class Crash(BaseException):
    """The process of a function dies."""


@dataclass
class Crashes:
    """Where functions die: at one of their writes, counted over all functions."""

    at: int = -1
    after: bool = False
    """After the write was done, instead of before it was sent."""
    writes: list[str] = field(default_factory=list)
    """What was written so far, in words."""
    crashed: bool = False
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What others do, once, before a write is sent whose words begin so."""

    def before(self, write: str) -> None:
        """Count a write that is about to be sent; die if it is the one."""
        for name in [name for name in self.meanwhile if write.startswith(name)]:
            self.meanwhile.pop(name)()
        self.writes.append(write)
        self._die(after=False)

    def done(self) -> None:
        """Die if the last one counted is the one to die after."""
        self._die(after=True)

    def _die(self, *, after: bool) -> None:
        if not self.crashed and self.after is after and len(self.writes) - 1 == self.at:
            self.crashed = True
            raise Crash(self.writes[-1])


class Cloud:
    """One account. Its functions are called one at a time."""

    def __init__(self, *, s3_url: str, vectors_url: str, bedrock: Bedrock, deployment: Deployment) -> None:
        """Be wired to these endpoints, and deployed so."""
        self.deployment = deployment
        self.bedrock = bedrock
        self.vectors_url = vectors_url
        self.crashes = Crashes()
        self.invoked: list[tuple[str, Any]] = []
        self.without: dict[str, str] = {}
        """By function the one action that is taken away from its role."""
        self.withheld: dict[str, Grant] = {}
        """By function the one grant outside of the vector bucket that is taken away from its role."""
        self.refused: list[Grant] = []
        """What was asked for and had been taken away."""
        self.settings: dict[str, str] = {}
        """Environment variables that differ from the usual."""
        self._endpoints = {
            "AWS_ENDPOINT_URL_S3": s3_url,
            "AWS_ENDPOINT_URL_SQS": s3_url,
            "AWS_ENDPOINT_URL_DYNAMODB": s3_url,
            "AWS_ENDPOINT_URL_S3VECTORS": vectors_url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
        }
        self._lock = threading.RLock()
        self.s3 = boto3.client("s3", endpoint_url=s3_url, region_name=REGION, **_credentials("TEST"))
        self.sqs = boto3.client("sqs", region_name=REGION)
        self.states = boto3.client("stepfunctions", region_name=REGION)
        self.dead_letters: str = self.sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        self.machine: str = self.states.create_state_machine(
            name=f"embedder-{uuid.uuid4()}",
            definition=json.dumps(deployment.definition),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
        )["stateMachineArn"]

    @functools.cached_property
    def vectors(self) -> Any:
        """A client of the vector bucket that may do everything."""
        return boto3.client("s3vectors", endpoint_url=self.vectors_url, region_name=REGION, **_credentials("ADMIN"))

    # What a user does.

    def put(self, key: str, content: bytes) -> str:
        """Store an object without telling anybody; return its address."""
        self.s3.put_object(Bucket=SOURCE, Key=key, Body=content)
        return f"s3://{SOURCE}/{key}"

    def upload(self, key: str, content: bytes, *, expect: str = "SUCCEEDED") -> str:
        """Store an object and run what its event starts; return its address."""
        uri = self.put(key, content)
        self.run(self.created(key), expect=expect)
        return uri

    def delete(self, key: str) -> None:
        """Delete an object, and let the queue's function handle the event."""
        self.s3.delete_object(Bucket=SOURCE, Key=key)
        self.told_deleted(key)

    def told_deleted(self, key: str) -> None:
        """Handle the event of a deletion as often as the queue gives it; fail when it would end as a dead letter."""
        for _ in range(5):
            if not self.call("forget", self.deleted(key))["batchItemFailures"]:
                return
        raise AssertionError(f"forgetting {key} fails")

    def created(self, key: str) -> dict[str, Any]:
        """Return the event of an object that was created."""
        event = _event("object_created.json")
        event["detail"]["bucket"]["name"], event["detail"]["object"]["key"] = SOURCE, key
        return event

    def deleted(self, key: str) -> dict[str, Any]:
        """Return the event of an object that was deleted, as the queue hands it over."""
        event = _event("object_deleted_queue.json")
        body = json.loads(event["Records"][0]["body"])
        body["detail"]["bucket"]["name"], body["detail"]["object"]["key"] = SOURCE, key
        event["Records"][0]["body"] = json.dumps(body)
        return event

    def query(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST /query; return status and document."""
        event = _event("query.json") | {"body": json.dumps(body)}
        answer = self.call("query_handler", event)
        return answer["statusCode"], json.loads(answer["body"])

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Send a request to the application; return status and document, or the address of a redirection."""
        event = _event("query.json") | {"rawPath": path, "body": None if body is None else json.dumps(body)}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        answer = self.call("api", event)
        if answer["statusCode"] == 302:
            return 302, answer["headers"]["location"]
        return answer["statusCode"], json.loads(answer["body"])

    # What the account does.

    def start(self, event: Mapping[str, Any]) -> str:
        """Start an execution; return its ARN."""
        arn: str = self.states.start_execution(
            stateMachineArn=self.machine, name=str(uuid.uuid4()), input=json.dumps(event)
        )["executionArn"]
        return arn

    def finished(self, arn: str) -> dict[str, Any]:
        """Wait for the end of an execution and describe it."""
        pause = threading.Event()
        while (found := self.states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            pause.wait(0.06)  # each look costs ten milliseconds of the interpreter
        described: dict[str, Any] = found
        return described

    def run(self, event: Mapping[str, Any], *, expect: str = "SUCCEEDED") -> dict[str, Any]:
        """Run an execution to its end, and make sure how it ends."""
        ended = self.finished(self.start(event))
        assert ended["status"] == expect, (ended.get("error"), ended.get("cause"), self.invoked[-3:])
        return ended

    def by_hand(self, key: str) -> None:
        """Do what an execution does for an object that needs no job, in this thread, also while a function runs."""
        planned = self.call("plan", self.created(key))
        for batch in planned["batches"]:
            self.call("embed_sync", {"plan_key": planned["plan_key"], **batch})
        assert self.call("store_embeddings", {"plan_key": planned["plan_key"]})["outcome"] == "stored"

    def redrive(self) -> dict[str, Any]:
        """Start again what failed, and wait for its end."""
        answer: dict[str, Any] = self.call("redrive", {"max": 10})
        for each in self.states.list_executions(stateMachineArn=self.machine)["executions"]:
            self.finished(each["executionArn"])
        return answer

    def call(self, function: str, event: Mapping[str, Any]) -> Any:
        """Return what the function answers, through JSON as everything goes; raise what it raises."""
        module, _, name = _HANDLERS.get(function, function).partition(".")
        with self.acting(function):
            handler = getattr(importlib.import_module(f"nestor.handlers.{module}"), name or "handler")
            answer = json.loads(json.dumps(handler(json.loads(json.dumps(event)), None)))
            self.invoked.append((function, answer))
            return answer

    @contextlib.contextmanager
    def acting(self, function: str) -> Iterator[None]:
        """Be that function: its environment, its credentials, and what its role allows."""
        with self._lock, mock.patch.dict(os.environ, self._environment(function)), self._watched(function):
            yield

    def client(self, service: str, function: str) -> Any:
        """Return a client with the function's credentials, to be used while acting as it."""
        url = self._endpoints[f"AWS_ENDPOINT_URL_{service.upper()}"]
        return boto3.client(service, endpoint_url=url, region_name=REGION, **_credentials(key_of(function)))

    def poll(self, function: str, queue: str) -> Any:
        """Hand what waits in a queue to the function, and delete what it did not fail: as Lambda does, by its role."""
        sqs = self.client("sqs", function)
        with self.acting(function):
            sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
            messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        records = [{"messageId": each["MessageId"], "body": each["Body"]} for each in messages]
        answer = self.call(function, {"Records": records})
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        with self.acting(function):
            for each in messages:
                if each["MessageId"] not in failed:
                    sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return answer

    def invoke(self, function: str, payload: str) -> tuple[bytes, bool]:
        """Answer Lambda's Invoke: the payload, and whether the function failed."""
        name = function.rpartition(":")[2].removeprefix("nestor-dev-").replace("-", "_")
        try:
            return json.dumps(self.call(name, json.loads(payload))).encode(), False
        except Crash as crash:
            _runtime.forget_clients()  # the next call meets a new process
            error = {"errorType": "Runtime.ExitError", "errorMessage": f"died at {crash}"}
        except Exception as raised:  # noqa: BLE001  # as Lambda does
            error = {"errorType": type(raised).__name__, "errorMessage": str(raised)}
        self.invoked.append((name, error))
        return json.dumps(error).encode(), True

    def _environment(self, function: str) -> dict[str, str]:
        key = key_of(function, self.without.get(function, ""))
        return {
            **self.deployment.variables[function],
            "NESTOR_DEAD_LETTERS_URL": self.dead_letters,
            "NESTOR_STATE_MACHINE_ARN": self.machine,
            "NESTOR_REQUESTS_PER_MINUTE": "100000",
            "NESTOR_ASYNC_CHARACTERS": "20000",
            "NESTOR_QUESTIONS_TABLE": "",
            "NESTOR_SHADOW_RATE": "0",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            **self._endpoints,
            **self.settings,
        }

    @contextlib.contextmanager
    def _watched(self, function: str) -> Iterator[None]:
        from botocore.httpsession import URLLib3Session

        send = URLLib3Session.send
        key = key_of(function, self.without.get(function, ""))

        def watched(session: Any, request: Any) -> Any:
            if f"Credential={key}/" not in str(request.headers.get("Authorization")):
                return send(session, request)  # somebody else's
            write = _write(request)
            wanted = grants.asked(request) if self.deployment.synthesised else None
            if refused := self._refused(function, wanted):
                return grants.denial(request, refused)
            if write:
                self.crashes.before(write)
            answer = send(session, request)
            if write:
                self.crashes.done()
            missed = grants.to_miss(wanted) if wanted and answer.status_code == 404 else None
            if refused := self._refused(function, missed):
                return grants.denial(request, refused)
            return answer

        with mock.patch.object(URLLib3Session, "send", watched):
            yield

    def _refused(self, function: str, wanted: Grant | None) -> Grant | None:
        """Return what is wanted where it was taken away. Raises NotGranted for what never was granted."""
        statements = self.deployment.statements[function]
        if wanted is None or grants.allows(statements, wanted, without=self.withheld.get(function)):
            return None
        if not grants.allows(statements, wanted):
            raise NotGranted(f"{function}: {wanted.action} on {wanted.resource} is not granted")
        self.refused.append(wanted)
        return wanted

    # What is there.

    def rows(self, dimension: int) -> dict[str, Row]:
        """Return every row of an index: vector and metadata by key."""
        pages = self.vectors.get_paginator("list_vectors").paginate(
            vectorBucketName=BUCKET, indexName=f"embeddings-{dimension}d", returnData=True, returnMetadata=True
        )
        return {
            row["key"]: ([float(number) for number in row["data"]["float32"]], row["metadata"])
            for page in pages
            for row in page["vectors"]
        }

    def keys(self) -> dict[int, set[str]]:
        """Return the keys of every index."""
        return {dimension: set(self.rows(dimension)) for dimension in DIMENSIONS}

    def manifest(self, uri: str) -> dict[str, Any] | None:
        """Return the manifest of an object, None when there is none."""
        try:
            answer = self.s3.get_object(Bucket=STATE, Key=f"manifests/{object_id(uri)}.json")
        except self.s3.exceptions.NoSuchKey:
            return None
        document: dict[str, Any] = json.loads(answer["Body"].read())
        return document

    def asset(self, uri: str) -> dict[int, dict[int, Row]]:
        """Return what is found of one object: by size and segment the vector and the metadata, less its addresses."""
        name = object_id(uri)
        return {
            dimension: {
                int(metadata["segment_index"]): (vector, _placeless(metadata))
                for key, (vector, metadata) in self.rows(dimension).items()
                if key.startswith(f"{name}_segment_")
            }
            for dimension in DIMENSIONS
        }

    def letters(self) -> list[dict[str, Any]]:
        """Return the dead letters, and leave them."""
        messages = self.sqs.receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0
        ).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


def assert_same(left: Mapping[int, Mapping[int, Row]], right: Mapping[int, Mapping[int, Row]]) -> None:
    """Compare two assets: segments and metadata exactly, vectors to what float32 holds."""
    for dimension in DIMENSIONS:
        assert left[dimension].keys() == right[dimension].keys()
        for index, (vector, metadata) in left[dimension].items():
            other, its_metadata = right[dimension][index]
            np.testing.assert_allclose(vector, other, atol=2e-7)
            assert _plain(metadata) == _plain(its_metadata)
            assert _is_cut(str(metadata.get("text", "")), str(its_metadata.get("text", "")))
            np.testing.assert_allclose(_decoded(metadata), _decoded(its_metadata), atol=2e-3)  # a step of the code


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in {"code", "text"}}


def _is_cut(one: str, other: str) -> bool:
    """Beside a code there is the less room for text, the longer the address is."""
    short, long = sorted([one, other], key=len)
    return long.startswith(short) and bool(short) == bool(long)


def _decoded(metadata: Mapping[str, Any]) -> Any:
    raw = codes.raw(metadata.get("code"))
    return codes.decode([raw]) if raw else np.empty(0)


def _credentials(key: str) -> dict[str, str]:
    return {"aws_access_key_id": key, "aws_secret_access_key": SECRET}


def _placeless(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in _PLACES}


@functools.cache
def _text(name: str) -> str:
    return (EVENTS / name).read_text()


def _event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(_text(name))
    return copy.deepcopy(event)


def _write(request: Any) -> str:
    """Return what a request writes, in words; empty when it only reads."""
    path: str = urlsplit(request.url).path.lstrip("/")
    if path in {"PutVectors", "DeleteVectors"}:
        return path
    return f"{request.method} {path}" if request.method in {"PUT", "DELETE"} else ""


def empty_bucket(s3: Any, bucket: str) -> None:
    """Make the bucket where there is none, and leave nothing in it."""
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket)
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])


def credentials(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the credentials of an administrator, of each function, and of each function without one action."""
    administrator = {"access_key_id": "ADMIN", "secret_access_key": SECRET}
    return [administrator] + [
        {
            "access_key_id": key_of(function, without),
            "secret_access_key": SECRET,
            "principal": f"arn:aws:iam::{ACCOUNT}:role/{function}",
            "policy": deployment.vectors(function, without=without),
        }
        for function, actions in GRANTED.items()
        for without in ("", *actions)
    ]
