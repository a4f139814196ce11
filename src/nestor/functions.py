"""The composition root of the functions: settings in, use cases out. What is heavy is imported when it is needed."""

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from nestor.errors import InvalidInput
from nestor.settings.functions import (
    EmbedSettings,
    ForgetSettings,
    PlanSettings,
    QuerySettings,
    RedriveSettings,
    ShadowSettings,
    StoreSettings,
)
from nestor.settings.migration import MigrateSettings

if TYPE_CHECKING:
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.objects import S3Objects
    from nestor.adapters.question_table import QuestionTable
    from nestor.adapters.s3vectors import S3Vectors
    from nestor.answer import Answers, Asked
    from nestor.domain import Modality
    from nestor.migration.batches import Inventory, Moves
    from nestor.pipeline.embed import BatchEmbedder
    from nestor.pipeline.forget import Forgetter
    from nestor.pipeline.plan import Planner
    from nestor.pipeline.redrive import DeadLetters
    from nestor.pipeline.store import AssetStore
    from nestor.ports import VectorSearch
    from nestor.shadow import Elsewhere, Shadow, Shadows
    from nestor.strategies import Placeholder, Strategy
    from nestor.telemetry import Metrics

T = TypeVar("T")

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

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what is kept under that name while the function is warm."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

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


def answers(
    settings: QuerySettings, clients: Clients, *, metrics: "Metrics", shadows: "Shadows | None" = None
) -> "Answers":
    """Return what answers questions; embeddings of questions are remembered while the function is warm."""
    from nestor.answer import Answers
    from nestor.caches import Bounded, CachedEmbedder
    from nestor.caches.questions import MEMORY
    from nestor.search import Search

    vectors = clients.vectors(settings.vector_bucket)
    embedder = clients.embedder(
        settings.model_id,
        requests_per_minute=settings.requests_per_minute,
        concurrency=settings.concurrency,
        attempts=QUERY_ATTEMPTS,
    )
    questions = CachedEmbedder(
        embedder,
        memory=clients.once("questions", lambda: Bounded(MEMORY)),
        store=_question_table(settings, clients),
        told=metrics.question,
    )
    return Answers(
        search=Search(embedder=questions, vectors=vectors),
        strategy=lambda asked: _strategy(settings, clients, asked, vectors),
        vectors=vectors,
        metrics=metrics,
        shadows=shadows,
    )


def _strategy(settings: QuerySettings, clients: Clients, asked: "Asked", vectors: "VectorSearch") -> "Strategy":
    from nestor import strategies
    from nestor.caches import CachedStrategy, RankingMemory

    name = asked.strategy or settings.strategy
    made = strategies.strategy(
        name,
        vectors,
        coarse=asked.coarse,
        candidates=asked.candidates,
        placeholder=_placeholder(settings, clients) if name == "manual" else None,
    )
    if not settings.result_cache_seconds:
        return made
    return CachedStrategy(
        made,
        seconds=settings.result_cache_seconds,
        memory=clients.once("rankings", RankingMemory),
        options=(asked.coarse, asked.candidates),
    )


def _placeholder(settings: QuerySettings, clients: Clients) -> "Placeholder":
    if not settings.placeholder:
        raise InvalidInput("The manual strategy is not set up here: whoever runs this must set NESTOR_PLACEHOLDER.")
    from nestor.migration.source import Placeholder
    from nestor.scan import Scan

    return Scan(Placeholder(clients.objects, root=settings.placeholder, name=settings.placeholder))


def _question_table(settings: QuerySettings, clients: Clients) -> "QuestionTable | None":
    if not settings.questions_table:
        return None
    from nestor.adapters.question_table import QuestionTable, client_config

    client = clients("dynamodb", client_config())
    return QuestionTable(client, table=settings.questions_table, days=settings.questions_days)


def shadows(settings: QuerySettings, clients: Clients, *, metrics: "Metrics") -> "Elsewhere | None":
    """Return what sends some questions to be asked again, None where none are."""
    if not settings.shadow_rate:
        return None
    from nestor.adapters.shadow_queue import ShadowQueue
    from nestor.shadow import Elsewhere, Sampler

    sampler = Sampler(settings.shadow_rate)
    queue = ShadowQueue(clients("sqs"), url=settings.shadow_url)
    return Elsewhere(queue, sampler=sampler, metrics=metrics)


def shadow(settings: ShadowSettings, clients: Clients) -> "Shadow":
    """Return what asks again."""
    from nestor.shadow import Shadow

    return Shadow(clients.vectors(settings.vector_bucket))


def placeholder_inventory(
    settings: MigrateSettings, clients: Clients, *, run: str, embedder: str | None
) -> "Inventory":
    """Write what lies in the placeholder down in batches. Raises as `take_inventory` and `check_embedder` do."""
    import tempfile
    from pathlib import Path

    from nestor.adapters.nova.requests import embedder_id
    from nestor.migration.batches import Batches, check_embedder, take_inventory
    from nestor.migration.journal import Journal
    from nestor.migration.source import Placeholder
    from nestor.migration.survey import Surveyor

    objects = _many_objects(settings, clients)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        try:
            taken = take_inventory(
                Surveyor(
                    Placeholder(objects, root=settings.placeholder, name=settings.placeholder),
                    journal=journal,
                    jobs=settings.readers,
                ),
                journal=journal,
                batches=Batches(objects, bucket=settings.work_bucket),
                run=run,
                embedder=embedder,
                untold=embedder_id(settings.model_id),
            )
        finally:
            journal.close()
    check_embedder(clients.vectors(settings.vector_bucket), taken.embedder)
    return taken


def migrated_batch(settings: MigrateSettings, clients: Clients, *, key: str, embedder: str) -> "Moves":
    """Move one batch of the placeholder's assets. Raises as `move_batch` and `check_embedder` do."""
    from concurrent.futures import ThreadPoolExecutor

    from nestor.adapters.object_manifests import ObjectManifests
    from nestor.migration.batches import Batches, check_embedder, move_batch
    from nestor.migration.migrate import Mover
    from nestor.migration.pace import Pace
    from nestor.migration.reading import AssetReader
    from nestor.migration.source import Placeholder

    objects, vectors = _many_objects(settings, clients), clients.vectors(settings.vector_bucket)
    check_embedder(vectors, embedder)
    batches = Batches(objects, bucket=settings.work_bucket)
    placeholder = Placeholder(objects, root=settings.placeholder, name=settings.placeholder)
    with ThreadPoolExecutor(settings.readers, "nestor-read") as pool:
        mover = Mover(
            AssetReader(placeholder, quarantine=batches.quarantine(key), ahead=pool),
            vectors=vectors,
            manifests=ObjectManifests(objects, bucket=settings.state_bucket),
            pace=Pace(None),  # how many functions run at once is the state machine's to say
        )
        return move_batch(mover, batches=batches, key=key, embedder=embedder)


def _many_objects(settings: MigrateSettings, clients: Clients) -> "S3Objects":
    """Return objects over a client that keeps a connection for each reader."""
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": 4}
    clients(
        "s3", Config(connect_timeout=5.0, read_timeout=60.0, max_pool_connections=settings.readers, retries=retries)
    )
    return clients.objects


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
