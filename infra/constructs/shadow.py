"""A share of the questions, searched for again beside the users, to measure recall."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Environment
from infra.constructs.function import Function
from infra.constructs.queue import Queue
from infra.constructs.role import Role
from infra.constructs.vector_index import VectorIndexes


class Shadow(Construct):
    """`shadow_query`, the queue that it is fed from, and that queue's dead letters.

    It gets embeddings of questions, never their words, and may do nothing but search.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        indexes: VectorIndexes,
        code: lambda_.Code,
        key: kms.IKey | None,
    ) -> None:
        """Make the three."""
        super().__init__(scope, construct_id)
        self._rate = environment.questions.shadow_rate
        self.letters = Queue(self, "Letters", name=environment.named("shadow-dead-letters"), key=key)
        # AWS asks for six times the function's time limit.
        hidden = Duration.seconds(6 * environment.functions.shadow_query.timeout_seconds)
        self.queue = Queue(
            self, "Queue", name=environment.named("shadow-queue"), key=key, hidden=hidden, letters=self.letters, tries=3
        )
        self.function = Function(
            self,
            "Function",
            environment=environment,
            part="shadow_query",
            code=code,
            variables={"VECTOR_BUCKET": indexes.bucket},
            key=key,
        )
        indexes.grant_query(self.function.role)
        self.queue.feed(self.function)

    @property
    def variables(self) -> dict[str, str]:
        """What whoever answers questions is told."""
        return {"NESTOR_SHADOW_URL": self.queue.queue.queue_url, "NESTOR_SHADOW_RATE": str(self._rate)}

    def grant_send(self, role: Role) -> None:
        """Allow to send a question."""
        self.queue.grant_send(role)
