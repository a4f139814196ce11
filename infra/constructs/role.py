"""A role that may do exactly what it is granted."""

import re
from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.constructs.findings import accept
from infra.template import text

_IMPORTED = re.compile(r"<(\w+:\w+)>")
"""What another stack exports; cdk-nag tells it without brackets."""


class Role(Construct):
    """The role of one part, for one service of AWS. Its description is the part's name, to be found by in templates."""

    def __init__(self, scope: Construct, construct_id: str, *, part: str, service: str, key: kms.IKey | None) -> None:
        """Make it, allowed nothing but the use of the key, where there is one."""
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Resource", assumed_by=iam.ServicePrincipal(service), description=part)
        if key is not None:
            self.grant(["kms:Decrypt", "kms:GenerateDataKey"], on=[key.key_arn])

    def grant(self, actions: Sequence[str], *, on: Sequence[str], because: str = "") -> None:
        """Allow these actions on these addresses. Raises ValueError for a `*` in them without a reason."""
        statement = iam.PolicyStatement(actions=list(actions), resources=list(on))
        self.role.add_to_principal_policy(statement)
        for each in on:
            address = text(Stack.of(self).resolve(each))
            if "*" not in address:
                continue
            if not because:
                raise ValueError(f"{address} in a role without a reason for its wildcard.")
            judged = _IMPORTED.sub(r"\1", address)
            accept(self.role, f"IAM5[Resource::{judged}]", reason=because)

    def ignore(self, check: str) -> None:
        """Keep cfn-lint from applying that check to the policy."""
        policy = self.role.node.find_child("DefaultPolicy").node.default_child
        assert isinstance(policy, iam.CfnPolicy)  # noqa: S101 - what CDK documents
        policy.add_metadata("cfn-lint", {"config": {"ignore_checks": [check]}})
