"""What is deployed: from the synthesised templates, or without aws_cdk what was agreed on."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.roles import ACCOUNT, BUCKET, GRANTED, REGION, policy

from infra.config import Pipeline, Questions, load
from infra.definition import embedder

SOURCE, WORK, STATE = "nestor-source", "nestor-work", "nestor-state"
BUCKETS = {"NESTOR_SOURCE_BUCKET": SOURCE, "NESTOR_WORK_BUCKET": WORK, "NESTOR_STATE_BUCKET": STATE}
QUEUE = "nestor-dev-dead-letters"
PLACEHOLDER, BELOW = "nestor-placeholder", "old"
SHADOWS, TABLE = "nestor-dev-shadow-queue", "nestor-questions"
ASKED = Questions(remembered_days=30, shadow_rate=1.0)
"""What the tests switch on one by one."""
MORE = {
    "NESTOR_PLACEHOLDER": f"s3://{PLACEHOLDER}/{BELOW}",
    "NESTOR_SHADOW_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{SHADOWS}",
}
_OF_QUESTIONS = frozenset({"query_handler", "api", "shadow_query"})
PIPELINE = Pipeline(poll_seconds=0, retry_seconds=1, retry_most_seconds=2)
"""As deployed, with its waits cut short."""


@dataclass(frozen=True)
class Deployment:
    """The state machine, and for each function its policy's statements and its environment."""

    definition: Mapping[str, Any]
    statements: Mapping[str, Sequence[Mapping[str, Any]]]
    variables: Mapping[str, Mapping[str, str]]
    synthesised: bool

    def vectors(self, function: str, *, without: str = "") -> dict[str, Any]:
        """Return the part of a function's policy that is about vectors, with one action taken away if it is named."""
        kept = [
            {**statement, "Action": [action for action in statement["Action"] if action != without]}
            for statement in self.statements[function]
            if all(action.startswith("s3vectors:") for action in statement["Action"])
        ]
        return {"Version": "2012-10-17", "Statement": [statement for statement in kept if statement["Action"]]}

    def granted(self, function: str) -> set[str]:
        """Return the actions on vectors that a function is granted."""
        return {action for each in self.vectors(function)["Statement"] for action in each["Action"]}


def from_templates(folder: Path) -> Deployment:
    """Synthesise the stacks, with the bucket names of these tests."""
    from infra.app import synthesise
    from infra.template import Deployed, variables

    environment = dataclasses.replace(
        load("dev"),
        vector_bucket=BUCKET,
        pipeline=PIPELINE,
        placeholder=MORE["NESTOR_PLACEHOLDER"],
        questions=ASKED,
    )
    templates = list(synthesise(environment, bundle=False, out=folder).values())
    named = variables(templates[0], "plan")
    addresses: dict[str, str] = {}
    for name, bucket in BUCKETS.items():
        hole = named[name].strip("<>")
        addresses |= {hole: bucket, f"{hole}.Arn": f"arn:aws:s3:::{bucket}"}
    first = Deployed(templates[0], account=ACCOUNT, region=REGION, addresses=addresses)
    table = variables(templates[1], "query_handler")["NESTOR_QUESTIONS_TABLE"].strip("<>")
    named_table = {table: TABLE, f"{table}.Arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"}
    other = Deployed(templates[1], account=ACCOUNT, region=REGION, addresses={**first.exports, **named_table})
    of = {function: other if function in _OF_QUESTIONS else first for function in GRANTED}
    return Deployment(
        definition=first.definition("embedder"),
        statements={function: deployed.policy(function)["Statement"] for function, deployed in of.items()},
        variables={function: deployed.variables(function) for function, deployed in of.items()},
        synthesised=True,
    )


def by_agreement() -> Deployment:
    """Return what the templates would say, as far as it was agreed on."""
    functions = {"Plan": "plan", "EmbedSync": "embed-sync", "StoreEmbeddings": "store-embeddings", "Forget": "forget"}
    definition = embedder(PIPELINE)
    addresses = {
        name: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nestor-dev-{function}"
        for name, function in functions.items()
    }
    addresses["DeadLetters"] = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{QUEUE}"
    return Deployment(
        definition=_filled(definition, addresses),
        statements={function: policy(actions)["Statement"] for function, actions in GRANTED.items()},
        variables={function: {"VECTOR_BUCKET": BUCKET, **BUCKETS, **MORE} for function in GRANTED},
        synthesised=False,
    )


def _filled(value: Any, addresses: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, addresses) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, addresses) for each in value]
    if isinstance(value, str) and value.startswith("${"):
        return addresses[value[2:-1]]
    return value
