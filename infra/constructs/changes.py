"""What happens to the source bucket, brought to those who look after it."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.config import Environment
from infra.constructs.function import Function
from infra.constructs.media_bucket import MediaBucket
from infra.constructs.pipeline import Pipeline
from infra.constructs.queue import Queue
from infra.constructs.role import Role

_EVENT_AGE = Duration.hours(24)
"""How long EventBridge tries to deliver: its own limit."""


class Changes(Construct):
    """Object Created starts the pipeline; Object Deleted waits in a queue for `forget`.

    An event only says where to look: who gets it looks at what the object is now. So events may come twice, late,
    or in another order.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        source: MediaBucket,
        pipeline: Pipeline,
        forget: Function,
        key: kms.IKey | None,
    ) -> None:
        """Make both ways. What EventBridge cannot deliver is kept in `undelivered`."""
        super().__init__(scope, construct_id)
        self._source = source
        self._environment = environment
        self.undelivered = Queue(self, "Undelivered", name=environment.named("undelivered"), key=key)
        self.forget_letters = Queue(self, "ForgetLetters", name=environment.named("forget-dead-letters"), key=key)
        # AWS asks for six times the function's time limit.
        hidden = Duration.seconds(6 * environment.functions.forget.timeout_seconds)
        self.forget_queue = Queue(
            self,
            "ForgetQueue",
            name=environment.named("forget-queue"),
            key=key,
            hidden=hidden,
            letters=self.forget_letters,
        )
        self._start(pipeline, key=key)
        self._forget(forget)

    def _start(self, pipeline: Pipeline, *, key: kms.IKey | None) -> None:
        starter = Role(self, "StarterRole", part="uploads", service="events.amazonaws.com", key=key)
        pipeline.grant_start(starter)
        target = targets.SfnStateMachine(
            pipeline.embedder.machine,
            role=starter.role.without_policy_updates(),
            dead_letter_queue=self.undelivered.queue,
            max_event_age=_EVENT_AGE,
        )
        self._rule("Uploads", "Object Created", target)

    def _forget(self, forget: Function) -> None:
        target = targets.SqsQueue(
            self.forget_queue.queue, dead_letter_queue=self.undelivered.queue, max_event_age=_EVENT_AGE
        )
        self._rule("Deletions", "Object Deleted", target)
        self.forget_queue.feed(forget)

    def _rule(self, construct_id: str, kind: str, target: events.IRuleTarget) -> None:
        events.Rule(
            self,
            construct_id,
            rule_name=self._environment.named(construct_id.lower()),
            event_pattern=events.EventPattern(
                source=["aws.s3"], detail_type=[kind], detail={"bucket": {"name": [self._source.name]}}
            ),
            targets=[target],
        )
