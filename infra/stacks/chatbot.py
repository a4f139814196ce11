"""`NovaMMEChatbotStack`: questions in, hits out."""

from collections.abc import Callable, Sequence
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns, placeholder
from infra.constructs.alarms import Alarms, watch_questions
from infra.constructs.api import QueryApi
from infra.constructs.dashboard import Dashboard
from infra.constructs.function import Function
from infra.constructs.question_table import QuestionTable
from infra.constructs.shadow import Shadow
from infra.constructs.vector_index import VectorIndexes


class NovaMMEChatbotStack(Stack):
    """The query function behind an HTTP API, what it remembers, and what watches it. It knows the indexes by name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        indexes: VectorIndexes,
        watched: Sequence[str],
        key: kms.IKey | None,
        code: Callable[[str], lambda_.Code],
        **kwargs: Any,
    ) -> None:
        """Compose it; `code` gives a bundle of code by its name, `watched` are the alarms of the pipeline."""
        super().__init__(scope, construct_id, **kwargs)
        self._environment, self._indexes, self._key = environment, indexes, key
        self._shadow = self._made_shadow(code("small"))
        self._table = self._made_table()
        self.query = Function(
            self,
            "QueryHandler",
            environment=environment,
            part="query_handler",
            code=code("small"),
            variables=self._variables(),
            key=key,
        )
        self._grants()
        api = QueryApi(self, "Api", environment=environment, function=self.query, key=key)
        self.alarms = Alarms(self, "Alarms", environment=environment)
        watch_questions(self.alarms, environment=environment, query=self.query, shadow=self._shadow)
        names = [*watched, *self.alarms.names]
        dashboard = Dashboard(self, "Dashboard", environment=environment, api_id=api.api.api_id, alarms=names)
        CfnOutput(self, "QueryUrl", value=api.url)
        CfnOutput(self, "DashboardName", value=dashboard.name)

    def _made_shadow(self, code: lambda_.Code) -> Shadow | None:
        if not self._environment.questions.shadow_rate:
            return None
        return Shadow(self, "Shadow", environment=self._environment, indexes=self._indexes, code=code, key=self._key)

    def _made_table(self) -> QuestionTable | None:
        if not self._environment.questions.remembered_days:
            return None
        return QuestionTable(self, "Questions", environment=self._environment, key=self._key)

    def _variables(self) -> dict[str, str]:
        embedding, questions = self._environment.embedding, self._environment.questions
        variables = {
            "VECTOR_BUCKET": self._indexes.bucket,
            "NESTOR_MODEL_ID": embedding.model_id,
            "NESTOR_REQUESTS_PER_MINUTE": str(embedding.requests_per_minute),
            "NESTOR_CONCURRENCY": str(embedding.concurrency),
            "NESTOR_STRATEGY": questions.strategy,
        }
        if self._environment.placeholder:
            variables["NESTOR_PLACEHOLDER"] = self._environment.placeholder
        if self._table:
            variables |= {
                "NESTOR_QUESTIONS_TABLE": self._table.name,
                "NESTOR_QUESTIONS_DAYS": str(questions.remembered_days),
            }
        return variables | (self._shadow.variables if self._shadow else {})

    def _grants(self) -> None:
        role = self.query.role
        role.grant(["bedrock:InvokeModel"], on=[arns.model(self._environment.embedding.model_id)])
        self._indexes.grant_query(role)
        self._indexes.grant_read_embedder(role)
        if self._shadow:
            self._shadow.grant_send(role)
        if self._table:
            self._table.grant_use(role)
        if self._environment.placeholder:
            placeholder.grant_read(self._environment, role)
