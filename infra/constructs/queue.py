"""An SQS queue, and who may do what with it."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.findings import accept
from infra.constructs.function import Function
from infra.constructs.role import Role

RETENTION = Duration.days(14)
"""SQS keeps nothing longer."""
_LEAST_AT_ONCE = 2
"""Lambda's own bound."""


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
        self.name = name
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

    def feed(self, function: Function) -> None:
        """Have the function handle the messages, ten at a time; those that it returns come again."""
        self.grant_take(function.role)
        mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=function.function,
            event_source_arn=self.queue.queue_arn,
            batch_size=10,
            report_batch_item_failures=True,
            # Else Lambda takes more than the function's copies can handle, and what is refused counts as a try.
            max_concurrency=max(_LEAST_AT_ONCE, function.reserved) if function.reserved else None,
        )
        mapping.node.add_dependency(function.role)

    def grant_send(self, role: Role) -> None:
        """Allow to send."""
        role.grant(["sqs:SendMessage"], on=[self.queue.queue_arn])

    def grant_take(self, role: Role) -> None:
        """Allow to receive, to delete, and to see how many are left."""
        role.grant(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], on=[self.queue.queue_arn])


def _after(tries: int, letters: Queue) -> sqs.DeadLetterQueue:
    return sqs.DeadLetterQueue(queue=letters.queue, max_receive_count=tries)
