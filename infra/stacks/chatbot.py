"""`NovaMMEChatbotStack`: questions in, hits out, and the rest of the HTTP API."""

from collections.abc import Callable, Sequence
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns, placeholder
from infra.constructs.alarms import Alarms, watch_application, watch_questions
from infra.constructs.api import QueryApi
from infra.constructs.application import Application
from infra.constructs.dashboard import Dashboard
from infra.constructs.function import Function
from infra.constructs.media_bucket import MediaBucket
from infra.constructs.question_table import QuestionTable
from infra.constructs.role import Role
from infra.constructs.shadow import Shadow
from infra.constructs.vector_index import VectorIndexes


class NovaMMEChatbotStack(Stack):
    """The query function and the application behind an HTTP API, what they remember, and what watches them.

    The indexes are known by name; of the pipeline's stack only the application's two buckets are imported.
    """

    def __init__(  # noqa: PLR0913 - named values, each of another kind
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        indexes: VectorIndexes,
        source: MediaBucket,
        state: MediaBucket,
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
            variables=self._variables() | (self._shadow.variables if self._shadow else {}),
            key=key,
        )
        application = self._made_application(source, state, code) if environment.api.application else None
        for function in (self.query, application) if application else (self.query,):
            self._grant_asking(function.role)
        if self._shadow:
            self._shadow.grant_send(self.query.role)
        api = QueryApi(self, "Api", environment=environment, function=self.query, application=application, key=key)
        self.alarms = Alarms(self, "Alarms", environment=environment)
        watch_questions(self.alarms, environment=environment, query=self.query, shadow=self._shadow)
        if application:
            watch_application(self.alarms, environment=environment, application=application)
        names = [*watched, *self.alarms.names]
        dashboard = Dashboard(self, "Dashboard", environment=environment, api_id=api.api.api_id, alarms=names)
        CfnOutput(self, "QueryUrl", value=api.url)
        CfnOutput(self, "ApiUrl", value=api.api.api_endpoint)
        CfnOutput(self, "DashboardName", value=dashboard.name)

    def _made_shadow(self, code: lambda_.Code) -> Shadow | None:
        if not self._environment.questions.shadow_rate:
            return None
        return Shadow(self, "Shadow", environment=self._environment, indexes=self._indexes, code=code, key=self._key)

    def _made_table(self) -> QuestionTable | None:
        if not self._environment.questions.remembered_days:
            return None
        return QuestionTable(self, "Questions", environment=self._environment, key=self._key)

    def _made_application(
        self, source: MediaBucket, state: MediaBucket, code: Callable[[str], lambda_.Code]
    ) -> Function:
        made = Application(
            self,
            "Application",
            environment=self._environment,
            source=source.exported,
            state=state.exported,
            code=code("api"),
            variables=self._variables(),
            key=self._key,
        )
        return made.function

    def _variables(self) -> dict[str, str]:
        """Return what every function that answers questions is told."""
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
        return variables

    def _grant_asking(self, role: Role) -> None:
        role.grant(["bedrock:InvokeModel"], on=[arns.model(self._environment.embedding.model_id)])
        self._indexes.grant_query(role)
        self._indexes.grant_read_embedder(role)
        if self._table:
            self._table.grant_use(role)
        if self._environment.placeholder:
            placeholder.grant_read(self._environment, role)
