"""The machine that moves a placeholder into the indexes."""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import definition
from infra.config import Environment
from infra.constructs import placeholder
from infra.constructs.function import Function
from infra.constructs.machine import Machine
from infra.constructs.media_bucket import MediaBucket
from infra.constructs.vector_index import VectorIndexes

_HANDLERS = {"list_placeholder": "inventory", "migrate_assets": "handler"}


class Migration(Construct):
    """`migration`: lists the placeholder, and a distributed map over batches of its assets. It deletes nothing."""

    def __init__(  # noqa: PLR0913 - named values, each of another kind
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        indexes: VectorIndexes,
        work: MediaBucket,
        state: MediaBucket,
        code: lambda_.Code,
        key: kms.IKey | None,
    ) -> None:
        """Make the machine and its two functions."""
        super().__init__(scope, construct_id)
        variables = {
            "VECTOR_BUCKET": indexes.bucket,
            "NESTOR_PLACEHOLDER": environment.placeholder,
            "NESTOR_WORK_BUCKET": work.name,
            "NESTOR_STATE_BUCKET": state.name,
            "NESTOR_MODEL_ID": environment.embedding.model_id,
        }
        self.functions = [
            Function(
                self,
                "".join(word.title() for word in part.split("_")),
                environment=environment,
                part=part,
                handler=f"nestor.handlers.migrate_assets.{handler}",
                code=code,
                variables=variables,
                key=key,
            )
            for part, handler in _HANDLERS.items()
        ]
        listing, moving = self.functions
        for function in self.functions:
            placeholder.grant_read(environment, function.role)
            indexes.grant_read_embedder(function.role)
            work.grant_write(function.role, "migration/")
        work.grant_list(moving.role)
        work.grant_read(moving.role, "migration/")
        state.grant_list(moving.role)
        state.grant_read(moving.role, "manifests/")
        state.grant_write(moving.role, "manifests/")
        indexes.grant_write(moving.role)
        self.machine = Machine(
            self,
            "Machine",
            environment=environment,
            part="migration",
            definition=definition.migration(environment.pipeline),
            addresses={"ListPlaceholder": listing.arn, "MigrateAssets": moving.arn, "WorkBucket": work.name},
            key=key,
        )
        role = self.machine.role
        role.grant(["lambda:InvokeFunction"], on=[listing.arn, moving.arn])
        self.machine.grant_map()
        work.grant_list(role)
        work.grant_read(role, "migration-results/")
        work.grant_write(role, "migration-results/")
