"""Reading a synthesised template: its addresses as text or filled in, its machines, roles and functions; pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

Template: TypeAlias = Mapping[str, Any]
ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"

_HOLE = re.compile(r"<([\w:.]+)>")


def text(value: Any) -> str:
    """Return an address as text, with `<LogicalId>` or `<LogicalId.Attribute>` where AWS fills it in."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return f"<{argument}>"
    if function == "Fn::GetAtt":
        return f"<{'.'.join(argument)}>"
    if function == "Fn::Join":
        separator, parts = argument
        joined: str = separator.join(map(text, parts))
        return joined
    if function == "Fn::ImportValue":
        return f"<{text(argument)}>"
    raise ValueError(f"{function} in a template is not known here.")


def resources(template: Template, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield logical ids and properties of the resources of that type, such as AWS::S3::Bucket."""
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield logical_id, resource.get("Properties", {})


def roles(template: Template) -> dict[str, str]:
    """Return the logical id of each role by its part, such as `plan`."""
    return {properties["Description"]: logical_id for logical_id, properties in resources(template, "AWS::IAM::Role")}


def statements(template: Template, part: str) -> list[dict[str, Any]]:
    """Return what the role of a part may do: Effect, Action and Resource as lists of text."""
    role = {"Ref": roles(template)[part]}
    return [
        {
            "Effect": statement["Effect"],
            "Action": _listed(statement["Action"]),
            "Resource": [text(each) for each in _listed(statement["Resource"])],
            **({"Condition": statement["Condition"]} if "Condition" in statement else {}),
        }
        for _, policy in resources(template, "AWS::IAM::Policy")
        if role in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def definition(template: Template, name: str) -> dict[str, Any]:
    """Return the definition of the state machine whose name ends so, with addresses as text."""
    for _, machine in resources(template, "AWS::StepFunctions::StateMachine"):
        if machine["StateMachineName"].endswith(name):
            filled: str = machine["DefinitionString"]
            for hole, address in machine["DefinitionSubstitutions"].items():
                filled = filled.replace(f"${{{hole}}}", text(address))
            whole: dict[str, Any] = json.loads(filled)
            return whole
    raise KeyError(name)


def variables(template: Template, part: str) -> dict[str, str]:
    """Return the environment variables of a function, with addresses as text."""
    role = {"Fn::GetAtt": [roles(template)[part], "Arn"]}
    for _, function in resources(template, "AWS::Lambda::Function"):
        if function["Role"] == role:
            return {name: text(value) for name, value in function["Environment"]["Variables"].items()}
    raise KeyError(part)


def exports(template: Template) -> dict[str, str]:
    """Return what other templates may import, by name, with addresses as text."""
    outputs = template.get("Outputs", {}).values()
    return {output["Export"]["Name"]: text(output["Value"]) for output in outputs if "Export" in output}


class Deployed:
    """A template as if it were deployed: every address has a value, so that it can be tried on one machine."""

    def __init__(
        self,
        template: Template,
        *,
        account: str = ACCOUNT,
        region: str = REGION,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        """Invent what AWS would; `addresses` by their text, such as `Source1BF1709A`, win over what is invented.

        What the template imports is among them: the `exports` of another one.
        """
        self.template = template
        self._addresses = {
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::URLSuffix": "amazonaws.com",
            **dict(_invented(template, account=account, region=region)),
            **(addresses or {}),
        }

    def filled(self, address: str) -> str:
        """Return a text with its holes filled. Raises KeyError for one that has no value."""
        return _HOLE.sub(lambda hole: self._addresses[hole[1]], address)

    @property
    def exports(self) -> dict[str, str]:
        """What other templates may import, by name."""
        return {name: self.filled(address) for name, address in exports(self.template).items()}

    def definition(self, name: str) -> dict[str, Any]:
        """Return the plain definition of a state machine, `embedder` or `backfill`."""
        plain: dict[str, Any] = json.loads(self.filled(json.dumps(definition(self.template, name))))
        return plain

    def policy(self, part: str) -> dict[str, Any]:
        """Return the policy of the role of a part, as IAM would see it."""
        statement = json.loads(self.filled(json.dumps(statements(self.template, part))))
        return {"Version": "2012-10-17", "Statement": statement}

    def variables(self, part: str) -> dict[str, str]:
        """Return the environment variables of a function."""
        return {name: self.filled(value) for name, value in variables(self.template, part).items()}


def _invented(template: Template, *, account: str, region: str) -> Iterator[tuple[str, str]]:
    for logical_id, properties in resources(template, "AWS::S3::Bucket"):
        name = properties.get("BucketName", f"nestor-{logical_id.lower()}")
        yield logical_id, name
        yield f"{logical_id}.Arn", f"arn:aws:s3:::{name}"
    for logical_id, properties in resources(template, "AWS::SQS::Queue"):
        name = properties["QueueName"]
        yield logical_id, f"https://sqs.{region}.amazonaws.com/{account}/{name}"
        yield f"{logical_id}.Arn", f"arn:aws:sqs:{region}:{account}:{name}"
    for logical_id, _ in resources(template, "AWS::DynamoDB::Table"):
        yield logical_id, f"nestor-{logical_id.lower()}"
        yield f"{logical_id}.Arn", f"arn:aws:dynamodb:{region}:{account}:table/nestor-{logical_id.lower()}"
    for logical_id, properties in resources(template, "AWS::Lambda::Function"):
        yield f"{logical_id}.Arn", f"arn:aws:lambda:{region}:{account}:function:{properties['FunctionName']}"
    for logical_id, properties in resources(template, "AWS::Logs::LogGroup"):
        yield f"{logical_id}.Arn", f"arn:aws:logs:{region}:{account}:log-group:{properties['LogGroupName']}:*"
    for logical_id, _ in resources(template, "AWS::KMS::Key"):
        yield f"{logical_id}.Arn", f"arn:aws:kms:{region}:{account}:key/{logical_id.lower()}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
