"""A state machine with a role and a log group of its own."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns
from infra.constructs.findings import accept
from infra.constructs.function import retention
from infra.constructs.role import Role

WATCH = ("states:DescribeExecution", "states:StopExecution")
RUNS = "Executions are named when they start; these are of one machine."
_LOGS = "The actions by which a machine sends its logs know no resources; a machine's own group cannot be named."


class Machine(Construct):
    """A Standard state machine. Grants go to `role`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        part: str,
        definition: Mapping[str, Any],
        addresses: Mapping[str, str],
        key: kms.IKey | None,
    ) -> None:
        """Make the machine `part` of that definition, with these addresses for its `${Name}`."""
        super().__init__(scope, construct_id)
        self.name = environment.named(part)
        self.role = Role(self, "Role", part=part, service="states.amazonaws.com", key=key)
        log_group = logs.LogGroup(
            self,
            "Logs",
            # The prefix keeps the policy of all log deliveries of an account from growing too long.
            log_group_name=f"/aws/vendedlogs/states/{self.name}",
            retention=retention(environment.log_days),
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.machine = sfn.StateMachine(
            self,
            "Resource",
            state_machine_name=self.name,
            definition_body=sfn.DefinitionBody.from_string(json.dumps(definition)),
            definition_substitutions=dict(addresses),
            role=self.role.role,
            # Without execution data: texts and addresses stay out of the logs.
            logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
            removal_policy=RemovalPolicy.DESTROY,
        )
        accept(self.role.role, "IAM5[Resource::*]", reason=_LOGS)
        accept(
            self.machine,
            "SF2",
            reason="Step Functions keeps every step of every execution for 90 days; X-Ray would show no more.",
        )

    def grant_map(self) -> None:
        """Allow the machine what a distributed map does: start executions of its own machine, see and stop them."""
        self.role.grant(["states:StartExecution"], on=[arns.state_machine(self.name)])
        self.role.grant(WATCH, on=[arns.map_runs(self.name)], because=RUNS)
