"""An SQS queue, and who may do what with it."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.findings import accept
from infra.constructs.role import Role

RETENTION = Duration.days(14)
"""SQS keeps nothing longer."""


class Queue(Construct):
    """An encrypted queue, reached by TLS only. Without `letters` it is where dead letters end."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        key: kms.IKey | None,
        hidden: Duration | None = None,
        letters: "Queue | None" = None,
        tries: int = 5,
    ) -> None:
        """Make it: what was received `tries` times goes to `letters`; a message is `hidden` while it is handled."""
        super().__init__(scope, construct_id)
        self.queue: sqs.Queue = sqs.Queue(
            self,
            "Resource",
            queue_name=name,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=RETENTION,
            visibility_timeout=hidden,
            removal_policy=RemovalPolicy.DESTROY,
            dead_letter_queue=_after(tries, letters) if letters else None,
        )
        if letters is None:
            accept(self.queue, "SQS3", reason="This is a queue of dead letters; an alarm watches its length.")

    def grant_send(self, role: Role) -> None:
        """Allow to send."""
        role.grant(["sqs:SendMessage"], on=[self.queue.queue_arn])

    def grant_take(self, role: Role) -> None:
        """Allow to receive, to delete, and to see how many are left."""
        role.grant(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], on=[self.queue.queue_arn])


def _after(tries: int, letters: Queue) -> sqs.DeadLetterQueue:
    return sqs.DeadLetterQueue(queue=letters.queue, max_receive_count=tries)
