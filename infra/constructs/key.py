"""The key of one's own."""

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

USE = ("kms:Decrypt", "kms:GenerateDataKey")
ALARMS: Mapping[str, Sequence[str]] = {"cloudwatch.amazonaws.com": USE}
"""What publishes to an encrypted topic."""


def of_data(region: str) -> Mapping[str, Sequence[str]]:
    """Return the services that read and write encrypted data by themselves, and what they may do for that."""
    return {
        "indexing.s3vectors.amazonaws.com": ["kms:Decrypt"],
        "events.amazonaws.com": USE,
        f"logs.{region}.amazonaws.com": [
            *USE,
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ],
    }


class CustomerKey(Construct):
    """A symmetric KMS key, rotated every year.

    The account's policies decide who may use it; the key's own policy names only the services that act by themselves.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, alias: str, services: Mapping[str, Sequence[str]], retained: bool
    ) -> None:
        """Make it; it must be retained where retained data could not be read without it."""
        super().__init__(scope, construct_id)
        removal = RemovalPolicy.RETAIN if retained else RemovalPolicy.DESTROY
        self.key = kms.Key(self, "Resource", alias=alias, enable_key_rotation=True, removal_policy=removal)
        for service, actions in services.items():
            self._allow(service, actions)

    def _allow(self, service: str, actions: Sequence[str]) -> None:
        principal = iam.ServicePrincipal(service)
        # In a key's policy `*` is this key.
        self.key.add_to_resource_policy(
            iam.PolicyStatement(principals=[principal], actions=list(actions), resources=["*"])
        )
