"""What questions are answered with, and asked again for the recall."""

from typing import TYPE_CHECKING

from nestor.errors import InvalidInput
from nestor.functions.clients import Clients
from nestor.settings.functions import QuerySettings, ShadowSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.question_table import QuestionTable
    from nestor.adapters.s3vectors import S3Vectors
    from nestor.answer import Answers, Asked
    from nestor.ports import VectorSearch
    from nestor.search import Search
    from nestor.shadow import Elsewhere, Shadow, Shadows
    from nestor.strategies import Placeholder, Strategy
    from nestor.telemetry import Metrics

QUERY_ATTEMPTS = 3
"""Of each call for one question: somebody is waiting."""
READ_SECONDS = 8.0
"""That an attempt may take: a service that stalls is told of before the function's 29 seconds are over."""


def answers(
    settings: QuerySettings, clients: Clients, *, metrics: "Metrics", shadows: "Shadows | None" = None
) -> "Answers":
    """Return what answers questions; embeddings of questions are remembered while the function is warm."""
    from nestor.answer import Answers

    vectors = indexes(settings, clients)
    return Answers(
        search=search(settings, clients, told=metrics.question),
        strategy=lambda asked: strategy(settings, clients, asked, vectors),
        vectors=vectors,
        metrics=metrics,
        shadows=shadows,
    )


def search(settings: QuerySettings, clients: Clients, *, told: "Callable[[str, Exception | None], None]") -> "Search":
    """Return what searches; `told` hears where each embedding of a question came from."""
    from nestor.caches import Bounded, CachedEmbedder
    from nestor.caches.questions import MEMORY
    from nestor.search import Search

    questions = CachedEmbedder(
        embedder(settings, clients),
        memory=clients.once("questions", lambda: Bounded(MEMORY)),
        store=_question_table(settings, clients),
        told=told,
    )
    return Search(embedder=questions, vectors=indexes(settings, clients))


def embedder(settings: QuerySettings, clients: Clients) -> "NovaEmbedder":
    """Return who embeds questions."""
    return clients.embedder(
        settings.model_id,
        requests_per_minute=settings.requests_per_minute,
        concurrency=settings.concurrency,
        read_seconds=READ_SECONDS,
        attempts=QUERY_ATTEMPTS,
    )


def indexes(settings: QuerySettings, clients: Clients) -> "S3Vectors":
    """Return where questions are asked."""
    return clients.vectors(settings.vector_bucket, read_seconds=READ_SECONDS, attempts=QUERY_ATTEMPTS)


def strategy(settings: QuerySettings, clients: Clients, asked: "Asked", vectors: "VectorSearch") -> "Strategy":
    """Return the way to answer the question. Raises InvalidInput for one that cannot be had here."""
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
