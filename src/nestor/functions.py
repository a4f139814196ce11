"""The composition root of the functions: settings in, use cases out. What is heavy is imported when it is needed."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nestor.settings.functions import (
    EmbedSettings,
    ForgetSettings,
    PlanSettings,
    QuerySettings,
    RedriveSettings,
    StoreSettings,
)

if TYPE_CHECKING:
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.objects import S3Objects
    from nestor.adapters.s3vectors import S3Vectors
    from nestor.domain import Modality
    from nestor.pipeline.answer import Answers
    from nestor.pipeline.embed import BatchEmbedder
    from nestor.pipeline.forget import Forgetter
    from nestor.pipeline.plan import Planner
    from nestor.pipeline.redrive import DeadLetters
    from nestor.pipeline.store import AssetStore

MAX_BYTES = 2_000_000_000
"""Of one object: Nova's own limit for a video."""
MAX_SECONDS = 7_200.0
"""Of sound and video: Nova's own limit."""
READ_SECONDS = 600.0
"""For reading one object; a function ends after 900."""
QUERY_ATTEMPTS = 3
"""Of the embedder, for one question: somebody is waiting."""


class Clients:
    """The clients of one function, each made when it is first asked for and kept while the function is warm.

    botocore reads AWS_REGION, the credentials and AWS_ENDPOINT_URL_<SERVICE> by itself, when the client is made.
    """

    def __init__(self) -> None:
        """Make nothing yet."""
        self._made: dict[str, Any] = {}

    def __call__(self, service: str, config: Any = None) -> Any:
        """Return the client of that service."""
        if service not in self._made:
            import botocore.session
            from botocore.config import Config

            usual = Config(
                connect_timeout=5.0, read_timeout=60.0, retries={"mode": "standard", "total_max_attempts": 4}
            )
            session = botocore.session.get_session()
            self._made[service] = session.create_client(service, config=config or usual)
        return self._made[service]

    @functools.cached_property
    def objects(self) -> "S3Objects":
        """Objects in S3."""
        from nestor.adapters.objects import S3Objects

        return S3Objects(self("s3"))

    def vectors(self, bucket: str) -> "S3Vectors":
        """Return the indexes of the vector bucket; which embedder fills one is asked once."""
        if bucket not in self._made:
            from nestor.adapters.s3vectors import client_config

            self._made[bucket] = _remembering()(self("s3vectors", client_config()), bucket=bucket)
        found: S3Vectors = self._made[bucket]
        return found

    def embedder(
        self, model_id: str, *, requests_per_minute: int, concurrency: int, attempts: int = 6
    ) -> "NovaEmbedder":
        """Return the embedder, with one pace for all that this function asks while it is warm."""
        if "embedder" not in self._made:
            from botocore.config import Config

            from nestor.adapters.nova.embedder import NovaEmbedder
            from nestor.adapters.nova.pace import Pace

            config = Config(
                connect_timeout=5.0,
                read_timeout=60.0,
                max_pool_connections=concurrency,
                retries={"total_max_attempts": 1},  # who tries again is Pace
            )
            pace = Pace(requests_per_minute=requests_per_minute, concurrency=concurrency, attempts=attempts)
            client = self("bedrock-runtime", config)
            self._made["embedder"] = NovaEmbedder(client, pace=pace, model_id=model_id)
        found: NovaEmbedder = self._made["embedder"]
        return found


def planner(settings: PlanSettings, clients: Clients) -> "Planner":
    """Return what looks at objects."""
    from nestor import media
    from nestor.adapters.nova.requests import embedder_id
    from nestor.adapters.object_manifests import ObjectManifests
    from nestor.pipeline.plan import Cutting, Planner
    from nestor.pipeline.work import Work

    options = media.ReadOptions(
        segment_characters=settings.segment_characters,
        segment_seconds=settings.segment_seconds,
        image_side=media.LARGE_IMAGE_SIDE,
        max_bytes=MAX_BYTES,
        max_seconds=MAX_SECONDS,
        timeout_seconds=READ_SECONDS,
    )
    return Planner(
        objects=clients.objects,
        manifests=ObjectManifests(clients.objects, bucket=settings.state_bucket),
        vectors=clients.vectors(settings.vector_bucket),
        work=Work(clients.objects, bucket=settings.work_bucket),
        embedder=embedder_id(settings.model_id),
        job_input=_job_input,
        settings=Cutting(
            options=options,
            batch_segments=settings.batch_segments,
            async_characters=settings.async_characters,
            collection_from_prefix=settings.collection_from_prefix,
        ),
    )


def batch_embedder(settings: EmbedSettings, clients: Clients) -> "BatchEmbedder":
    """Return what embeds batches."""
    from nestor import media
    from nestor.adapters.embedding_files import NovaFiles
    from nestor.pipeline.embed import BatchEmbedder
    from nestor.pipeline.recut import Recut
    from nestor.pipeline.work import Work

    objects = clients.objects
    work, results = Work(objects, bucket=settings.work_bucket), NovaFiles(objects)
    options = media.ReadOptions(max_bytes=MAX_BYTES, max_seconds=MAX_SECONDS, timeout_seconds=READ_SECONDS)
    return BatchEmbedder(
        work=work,
        embedder=clients.embedder(
            settings.model_id, requests_per_minute=settings.requests_per_minute, concurrency=settings.concurrency
        ),
        results=results,
        recut=Recut(objects=objects, work=work, results=results, options=options),
    )


def asset_store(settings: StoreSettings, clients: Clients) -> "AssetStore":
    """Return what stores embeddings."""
    from nestor.adapters.embedding_files import NovaFiles
    from nestor.adapters.object_manifests import ObjectManifests
    from nestor.pipeline.store import AssetStore
    from nestor.pipeline.work import Work

    return AssetStore(
        objects=clients.objects,
        manifests=ObjectManifests(clients.objects, bucket=settings.state_bucket),
        vectors=clients.vectors(settings.vector_bucket),
        work=Work(clients.objects, bucket=settings.work_bucket),
        results=NovaFiles(clients.objects),
    )


def forgetter(settings: ForgetSettings, clients: Clients) -> "Forgetter":
    """Return what forgets objects that are gone."""
    from nestor.adapters.object_manifests import ObjectManifests
    from nestor.pipeline.forget import Forgetter

    return Forgetter(
        objects=clients.objects,
        manifests=ObjectManifests(clients.objects, bucket=settings.state_bucket),
        vectors=clients.vectors(settings.vector_bucket),
    )


def answers(settings: QuerySettings, clients: Clients) -> "Answers":
    """Return what answers questions."""
    from nestor.adapters.s3vectors.embeddings import S3Embeddings
    from nestor.pipeline.answer import Answers
    from nestor.search import Search

    vectors = clients.vectors(settings.vector_bucket)
    embedder = clients.embedder(
        settings.model_id,
        requests_per_minute=settings.requests_per_minute,
        concurrency=settings.concurrency,
        attempts=QUERY_ATTEMPTS,
    )
    return Answers(
        search=Search(embedder=embedder, vectors=vectors),
        embeddings=S3Embeddings(clients("s3vectors"), bucket=settings.vector_bucket),
    )


def dead_letters(settings: RedriveSettings, clients: Clients) -> "DeadLetters":
    """Return the queue of what failed."""
    from nestor.adapters.dead_letters import SqsDeadLetters

    return SqsDeadLetters(
        clients("sqs"),
        clients("stepfunctions"),
        url=settings.dead_letters_url,
        machine=settings.state_machine_arn,
    )


def _job_input(
    modality: "Modality", uri: str, *, content_type: str, seconds: int = 0, characters: int = 0
) -> Mapping[str, Any] | None:
    """Return the input of a job; None for sound and video in a format that the model does not read."""
    from nestor.adapters.nova import requests
    from nestor.domain import Modality

    if modality is Modality.TEXT:
        return requests.segmented(modality, uri, characters=characters)
    kind = requests.format_of(content_type)
    if kind is None or kind not in requests.FORMATS[modality]:
        return None
    return requests.segmented(modality, uri, format=kind, seconds=seconds)


@functools.cache
def _remembering() -> "type[S3Vectors]":
    from nestor.adapters.s3vectors import S3Vectors

    class Remembering(S3Vectors):
        """Asks each index once which embedder fills it: that never changes while it holds vectors."""

        def __init__(self, client: Any, *, bucket: str) -> None:
            super().__init__(client, bucket=bucket)
            self._known: dict[int, str] = {}

        def embedder(self, dimension: int) -> str | None:
            if dimension not in self._known:
                found = super().embedder(dimension)
                if not found:
                    return found
                self._known[dimension] = found
            return self._known[dimension]

    return Remembering
