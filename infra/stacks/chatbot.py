"""`NovaMMEChatbotStack`: questions in, hits out."""

from collections.abc import Callable
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns
from infra.constructs.api import QueryApi
from infra.constructs.function import Function
from infra.constructs.vector_index import VectorIndexes


class NovaMMEChatbotStack(Stack):
    """The query function behind an HTTP API. It knows the indexes by name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        indexes: VectorIndexes,
        key: kms.IKey | None,
        code: Callable[[str], lambda_.Code],
        **kwargs: Any,
    ) -> None:
        """Compose it; `code` gives a bundle of code by its name."""
        super().__init__(scope, construct_id, **kwargs)
        embedding = environment.embedding
        query = Function(
            self,
            "QueryHandler",
            environment=environment,
            part="query_handler",
            code=code("small"),
            variables={
                "VECTOR_BUCKET": indexes.bucket,
                "NESTOR_MODEL_ID": embedding.model_id,
                "NESTOR_REQUESTS_PER_MINUTE": str(embedding.requests_per_minute),
                "NESTOR_CONCURRENCY": str(embedding.concurrency),
            },
            key=key,
        )
        query.role.grant(["bedrock:InvokeModel"], on=[arns.model(embedding.model_id)])
        indexes.grant_query(query.role)
        indexes.grant_read_embedder(query.role)
        api = QueryApi(self, "Api", environment=environment, function=query, key=key)
        CfnOutput(self, "QueryUrl", value=api.url)
