"""The key of one's own."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


class CustomerKey(Construct):
    """A symmetric KMS key, rotated every year and retained: without it the retained data could not be read.

    The account's policies decide who may use it; the key's own policy names only the services that act by themselves.
    """

    def __init__(self, scope: Construct, construct_id: str, *, alias: str, region: str) -> None:
        """Make it."""
        super().__init__(scope, construct_id)
        self.key = kms.Key(self, "Resource", alias=alias, enable_key_rotation=True, removal_policy=RemovalPolicy.RETAIN)
        self._allow("indexing.s3vectors.amazonaws.com", ["kms:Decrypt"])
        self._allow("events.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"])
        self._allow(f"logs.{region}.amazonaws.com", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"])

    def _allow(self, service: str, actions: list[str]) -> None:
        principal = iam.ServicePrincipal(service)
        # In a key's policy `*` is this key.
        self.key.add_to_resource_policy(iam.PolicyStatement(principals=[principal], actions=actions, resources=["*"]))
