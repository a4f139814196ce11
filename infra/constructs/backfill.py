"""The machine that embeds what lies below a prefix already."""

from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import definition
from infra.config import Environment
from infra.constructs import arns
from infra.constructs.machine import RUNS, WATCH, Machine
from infra.constructs.media_bucket import MediaBucket
from infra.constructs.pipeline import Pipeline


class Backfill(Construct):
    """`backfill`: a distributed map over the objects of the source bucket."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        pipeline: Pipeline,
        source: MediaBucket,
        work: MediaBucket,
        key: kms.IKey | None,
    ) -> None:
        """Make it, allowed to start the pipeline's machine and to see it end."""
        super().__init__(scope, construct_id)
        machine = Machine(
            self,
            "Machine",
            environment=environment,
            part="backfill",
            definition=definition.backfill(environment.pipeline),
            addresses={"Embedder": pipeline.arn, "SourceBucket": source.name, "WorkBucket": work.name},
            key=key,
        )
        role = machine.role
        pipeline.grant_start(role)
        role.grant(WATCH, on=[arns.executions(pipeline.name)], because=RUNS)
        role.grant(["events:PutTargets", "events:PutRule", "events:DescribeRule"], on=[arns.execution_events_rule()])
        machine.grant_map()
        source.grant_list(role)
        work.grant_read(role, "backfill/")
        work.grant_write(role, "backfill/")
        self.machine = machine
