"""A Lambda function of Nestor."""

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import Environment
from infra.constructs.findings import accept
from infra.constructs.role import Role


class Function(Construct):
    """A function with a role and a log group of its own. Grants go to `role`."""

    def __init__(  # noqa: PLR0913 - named values, each of another kind
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        part: str,
        code: lambda_.Code,
        variables: Mapping[str, str],
        key: kms.IKey | None,
        handler: str = "",
    ) -> None:
        """Make the function `part`, whose handler is nestor.handlers.<part>.handler unless said otherwise."""
        super().__init__(scope, construct_id)
        size = getattr(environment.functions, part)
        self.part = part
        self.name = environment.named(part.replace("_", "-"))
        self.reserved: int = size.reserved_concurrency
        self.role = Role(self, "Role", part=part, service="lambda.amazonaws.com", key=key)
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/nestor/{environment.name}/{part}",
            retention=retention(environment.log_days),
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role.grant(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            on=[log_group.log_group_arn],
            because="Lambda names the log streams; the group is this function's own.",
        )
        self.function = lambda_.Function(
            self,
            "Resource",
            function_name=self.name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=code,
            handler=handler or f"nestor.handlers.{part}.handler",
            role=self.role.role.without_policy_updates(),
            log_group=log_group,
            memory_size=size.memory_mib,
            timeout=Duration.seconds(size.timeout_seconds),
            ephemeral_storage_size=Size.mebibytes(size.storage_mib),
            reserved_concurrent_executions=self.reserved or None,
            environment={
                **variables,
                "POWERTOOLS_SERVICE_NAME": part,
                "POWERTOOLS_METRICS_NAMESPACE": "Nestor",
                "LOG_LEVEL": environment.log_level,
            },
        )
        # The policy is in force before the first call.
        self.function.node.add_dependency(self.role)
        accept(self.function, "L1", reason="Python 3.13: every package that the functions carry has wheels for it.")

    @property
    def arn(self) -> str:
        """The function's ARN, without a version."""
        return self.function.function_arn


def retention(days: int) -> logs.RetentionDays:
    """Return CDK's word for so many days."""
    return logs.RetentionDays[_RETENTION[days]]


_RETENTION = {
    1: "ONE_DAY",
    3: "THREE_DAYS",
    5: "FIVE_DAYS",
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    60: "TWO_MONTHS",
    90: "THREE_MONTHS",
    120: "FOUR_MONTHS",
    150: "FIVE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
    400: "THIRTEEN_MONTHS",
    545: "EIGHTEEN_MONTHS",
    731: "TWO_YEARS",
    1827: "FIVE_YEARS",
    3653: "TEN_YEARS",
}
