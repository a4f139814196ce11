"""The machine that embeds one object, and where its failures are kept."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import definition
from infra.config import Environment
from infra.constructs import arns
from infra.constructs.function import Function
from infra.constructs.machine import Machine
from infra.constructs.media_bucket import MediaBucket
from infra.constructs.queue import Queue
from infra.constructs.role import Role

_JOBS = "Bedrock names a job when it starts."


class Pipeline(Construct):
    """`embedder`, its dead letters, and the function that starts them again."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        functions: Mapping[str, Function],
        key: kms.IKey | None,
    ) -> None:
        """Make the machine out of the functions Plan, EmbedSync, StoreEmbeddings and Forget."""
        super().__init__(scope, construct_id)
        self._model = environment.embedding.model_id
        self.name = environment.named("embedder")
        self.dead_letters = Queue(
            self, "DeadLetters", name=environment.named("dead-letters"), key=key, hidden=Duration.minutes(2)
        )
        self.embedder = Machine(
            self,
            "Embedder",
            environment=environment,
            part="embedder",
            definition=definition.embedder(environment.pipeline),
            addresses={name: function.arn for name, function in functions.items()}
            | {"DeadLetters": self.dead_letters.queue.queue_url},
            key=key,
        )
        self.embedder.role.grant(["lambda:InvokeFunction"], on=[function.arn for function in functions.values()])
        self.dead_letters.grant_send(self.embedder.role)

    @property
    def arn(self) -> str:
        """The machine's ARN, put together from its name."""
        return arns.state_machine(self.name)

    def grant_jobs(self, *, source: MediaBucket, work: MediaBucket) -> None:
        """Allow the machine to run jobs. Bedrock reads and writes with the rights of whoever starts a job."""
        role = self.embedder.role
        role.grant(["bedrock:InvokeModel"], on=[arns.model(self._model), arns.jobs()], because=_JOBS)
        role.grant(["bedrock:GetAsyncInvoke"], on=[arns.jobs()], because=_JOBS)
        source.grant_read(role)
        work.grant_write(role, "async/")

    def grant_start(self, role: Role) -> None:
        """Allow to start the machine."""
        role.grant(["states:StartExecution"], on=[self.arn])
