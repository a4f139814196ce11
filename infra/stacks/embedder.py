"""`NovaMMEEmbedderStack`: files in, vectors out."""

from collections.abc import Callable
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns
from infra.constructs.alarms import Alarms, watch_pipeline
from infra.constructs.backfill import Backfill
from infra.constructs.changes import Changes
from infra.constructs.function import Function
from infra.constructs.index_settings import IndexSettings
from infra.constructs.key import ALARMS, CustomerKey, of_data
from infra.constructs.media_bucket import MediaBucket
from infra.constructs.migration import Migration
from infra.constructs.pipeline import Pipeline
from infra.constructs.topic import AlarmTopic
from infra.constructs.vector_index import VectorBucket, VectorIndexes
from nestor.adapters.nova.requests import embedder_id


class NovaMMEEmbedderStack(Stack):
    """Buckets, indexes, functions, the two state machines, and the rules that start them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        code: Callable[[str], lambda_.Code],
        **kwargs: Any,
    ) -> None:
        """Compose it; `code` gives a bundle of code by its name."""
        super().__init__(scope, construct_id, **kwargs)
        self._environment, self._code = environment, code
        self.key = self._own_key() if environment.customer_key else None
        self.indexes = VectorIndexes(environment.bucket)
        self._buckets()
        self._vectors()
        self._functions()
        self._pipeline()
        self._grants()
        self._alarms()
        self._outputs()

    def _own_key(self) -> kms.IKey:
        environment = self._environment
        told = ALARMS if environment.alarms.emails else {}
        services = {**of_data(environment.region), **told}
        alias = f"alias/nestor-{environment.name}"
        return CustomerKey(self, "Key", alias=alias, services=services, retained=True).key

    def _buckets(self) -> None:
        days = self._environment.work_days
        origins = self._environment.api.allowed_origins if self._environment.api.application else ()
        self.source = MediaBucket(self, "Source", key=self.key, events=True, origins=origins)
        self.work = MediaBucket(self, "Work", key=self.key, expire_days=days)
        self.state = MediaBucket(self, "State", key=self.key, versioned=True)

    def _vectors(self) -> None:
        embedder = embedder_id(self._environment.embedding.model_id)
        bucket = VectorBucket(self, "Vectors", indexes=self.indexes, embedder=embedder, key=self.key)
        IndexSettings(
            self,
            "IndexSettings",
            environment=self._environment,
            bucket=bucket,
            indexes=self.indexes,
            code=self._code("small"),
            key=self.key,
        )

    def _functions(self) -> None:
        embedding = self._environment.embedding
        model = {"NESTOR_MODEL_ID": embedding.model_id}
        places = {
            "VECTOR_BUCKET": self.indexes.bucket,
            "NESTOR_SOURCE_BUCKET": self.source.name,
            "NESTOR_WORK_BUCKET": self.work.name,
        }
        state = {"NESTOR_STATE_BUCKET": self.state.name}
        cutting = {
            "NESTOR_SEGMENT_SECONDS": str(embedding.segment_seconds),
            "NESTOR_SEGMENT_CHARACTERS": str(embedding.segment_characters),
            "NESTOR_BATCH_SEGMENTS": str(embedding.batch_segments),
            "NESTOR_ASYNC_CHARACTERS": str(embedding.async_characters),
            "NESTOR_COLLECTION_FROM_PREFIX": str(embedding.collection_from_prefix).lower(),
        }
        pace = {
            "NESTOR_REQUESTS_PER_MINUTE": str(embedding.requests_per_minute),
            "NESTOR_CONCURRENCY": str(embedding.concurrency),
        }
        self.plan = self._function("plan", "media", places | state | model | cutting)
        self.embed_sync = self._function("embed_sync", "media", places | model | pace)
        self.store_embeddings = self._function("store_embeddings", "small", places | state | model)
        self.forget = self._function("forget", "small", places | state)

    def _function(self, part: str, bundle: str, variables: dict[str, str]) -> Function:
        return Function(
            self,
            "".join(word.title() for word in part.split("_")),
            environment=self._environment,
            part=part,
            code=self._code(bundle),
            variables=variables,
            key=self.key,
        )

    def _pipeline(self) -> None:
        functions = {
            "Plan": self.plan,
            "EmbedSync": self.embed_sync,
            "StoreEmbeddings": self.store_embeddings,
            "Forget": self.forget,
        }
        environment, key = self._environment, self.key
        self.pipeline = Pipeline(self, "Pipeline", environment=environment, functions=functions, key=key)
        self.changes = Changes(
            self,
            "Changes",
            environment=environment,
            source=self.source,
            pipeline=self.pipeline,
            forget=self.forget,
            key=key,
        )
        self.backfill = Backfill(
            self,
            "Backfill",
            environment=environment,
            pipeline=self.pipeline,
            source=self.source,
            work=self.work,
            key=key,
        )
        self.migration = self._migration() if environment.placeholder else None
        letters = {
            "NESTOR_DEAD_LETTERS_URL": self.pipeline.dead_letters.queue.queue_url,
            "NESTOR_STATE_MACHINE_ARN": self.pipeline.arn,
        }
        self.redrive = self._function("redrive", "small", letters)

    def _migration(self) -> Migration:
        return Migration(
            self,
            "Migration",
            environment=self._environment,
            indexes=self.indexes,
            work=self.work,
            state=self.state,
            code=self._code("small"),
            key=self.key,
        )

    def _grants(self) -> None:
        for function in (self.plan, self.embed_sync, self.store_embeddings, self.forget):
            self.source.grant_read(function.role)
        for function in (self.plan, self.store_embeddings, self.forget):
            self.source.grant_list(function.role)
            self.state.grant_list(function.role)
            self.state.grant_read(function.role, "manifests/")
            self.state.grant_write(function.role, "manifests/")
        self.state.grant_delete(self.forget.role, "manifests/")
        for function in (self.embed_sync, self.store_embeddings):
            self.work.grant_list(function.role)
        self.work.grant_write(self.plan.role, "plans/")
        self.work.grant_read(self.embed_sync.role, "plans/")
        self.work.grant_read(self.embed_sync.role, "async/")
        self.work.grant_write(self.embed_sync.role, "embeddings/")
        self.work.grant_read(self.store_embeddings.role)
        self.indexes.grant_read_embedder(self.plan.role)
        self.indexes.grant_write(self.store_embeddings.role)
        self.indexes.grant_delete(self.forget.role)
        self.embed_sync.role.grant(["bedrock:InvokeModel"], on=[arns.model(self._environment.embedding.model_id)])
        self.pipeline.grant_jobs(source=self.source, work=self.work)
        self.pipeline.grant_start(self.redrive.role)
        self.pipeline.dead_letters.grant_take(self.redrive.role)

    def _alarms(self) -> None:
        environment = self._environment
        migration = [self.migration.machine] if self.migration else []
        if environment.alarms.emails:
            AlarmTopic(self, "AlarmTopic", environment=environment, key=self.key)
        self.alarms = Alarms(self, "Alarms", environment=environment)
        watch_pipeline(
            self.alarms,
            environment=environment,
            functions=[self.plan, self.embed_sync, self.store_embeddings, self.forget],
            machines=[self.pipeline.embedder, self.backfill.machine, *migration],
            dead_letters=self.pipeline.dead_letters,
            changes=self.changes,
        )

    def _outputs(self) -> None:
        outputs = {
            "SourceBucket": self.source.name,
            "WorkBucket": self.work.name,
            "StateBucket": self.state.name,
            "VectorBucket": self.indexes.bucket,
            "EmbedderArn": self.pipeline.arn,
            "BackfillArn": arns.state_machine(self.backfill.machine.name),
            "DeadLettersUrl": self.pipeline.dead_letters.queue.queue_url,
        }
        if self.migration:
            outputs["MigrationArn"] = arns.state_machine(self.migration.machine.name)
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
