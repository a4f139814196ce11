"""What the functions of the embedder's state machine and of its queues do their work with."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nestor.functions.clients import Clients
from nestor.settings.functions import EmbedSettings, ForgetSettings, PlanSettings, RedriveSettings, StoreSettings

if TYPE_CHECKING:
    from nestor.domain import Modality
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
