"""Findings of cdk-nag that are accepted, beside the resource, with the reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(scope: IConstruct, rule: str, *, reason: str) -> None:
    """Accept one finding of the AwsSolutions rules on this construct and below, such as `IAM5[Action::s3:*]`."""
    Validations.of(scope).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))
