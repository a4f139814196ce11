"""What CloudFormation cannot say about the indexes: their mode and their text search."""

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Environment
from infra.constructs.function import Function
from infra.constructs.vector_index import VectorBucket, VectorIndexes


class IndexSettings(Construct):
    """A custom resource; its function brings every index to the settings at each change, and removes nothing."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        bucket: VectorBucket,
        indexes: VectorIndexes,
        code: lambda_.Code,
        key: kms.IKey | None,
    ) -> None:
        """Make it, after the indexes."""
        super().__init__(scope, construct_id)
        function = Function(
            self,
            "Function",
            environment=environment,
            part="index_settings",
            handler="index_settings.handler",
            code=code,
            variables={},
            key=key,
        )
        indexes.grant_settings(function.role)
        settings = CustomResource(
            self,
            "Resource",
            service_token=function.arn,
            resource_type="Custom::IndexSettings",
            service_timeout=Duration.seconds(2 * environment.functions.index_settings.timeout_seconds),
            removal_policy=RemovalPolicy.DESTROY,
            properties={
                "IndexArns": indexes.arns,
                "IndexMode": environment.indexes.mode,
                "TextKey": "text",
                "TextLanguage": environment.indexes.text_language,
            },
        )
        settings.node.add_dependency(bucket, function)
