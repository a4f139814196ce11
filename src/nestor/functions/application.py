"""What `api` works through: the parts of nestor.web, over the buckets and the indexes of the stacks."""

import functools
from typing import TYPE_CHECKING, NoReturn, Protocol

from nestor.answer import Answers, Asked
from nestor.errors import InvalidInput
from nestor.functions import questions
from nestor.functions.clients import Clients
from nestor.functions.pipeline import MAX_BYTES
from nestor.library import Library
from nestor.ports import Calibration, Embedder, Vectors
from nestor.refusals import Refused
from nestor.search import Search
from nestor.settings.api import ApiSettings
from nestor.strategies import Strategy
from nestor.strategies.base import CANDIDATES, COARSE
from nestor.telemetry import Metrics

if TYPE_CHECKING:
    from nestor.adapters.listed_manifests import ListedManifests
    from nestor.adapters.objects import S3Objects
    from nestor.chat import Chat
    from nestor.pipeline.source import SourceFiles
    from nestor.ports import ChatModel


class ToldMetrics(Metrics, Protocol):
    """Counts, and tells what was counted."""

    def text(self) -> str:
        """Return it as text."""
        ...


class Application:
    """Everything that the application needs; each part is made when it is first asked for. It writes no vectors."""

    uploads = None
    """Files come in by `source`."""

    def __init__(self, settings: ApiSettings, clients: Clients, *, metrics: ToldMetrics) -> None:
        """Make nothing yet."""
        self.metrics = metrics
        self.thumbnails = _NoThumbnails()
        self._settings = settings
        self._clients = clients

    @functools.cached_property
    def manifests(self) -> "ListedManifests":
        """What is stored, by asset."""
        from nestor.adapters.listed_manifests import ListedManifests

        return ListedManifests(self._objects, bucket=self._settings.state_bucket)

    @property
    def vectors(self) -> Vectors:
        """The indexes."""
        return questions.indexes(self._settings, self._clients)

    @property
    def embedder(self) -> Embedder:
        """Who embeds questions."""
        return questions.embedder(self._settings, self._clients)

    @functools.cached_property
    def search(self) -> Search:
        """Questions to hits."""
        return questions.search(self._settings, self._clients, told=self.metrics.question)

    @functools.cached_property
    def answers(self) -> Answers:
        """Questions to answers."""
        return questions.answers(self._settings, self._clients, metrics=self.metrics)

    @functools.cached_property
    def library(self) -> Library:
        """What is stored, to be looked at."""
        return Library(vectors=self.vectors, manifests=self.manifests, thumbnails=self.thumbnails)

    @functools.cached_property
    def source(self) -> "SourceFiles":
        """The files themselves."""
        from nestor.pipeline.source import SourceFiles

        return SourceFiles(
            self._settings.source_bucket,
            objects=self._objects,
            handover=self._objects,
            most_bytes=MAX_BYTES,
            collections=self._settings.collection_from_prefix,
        )

    @functools.cached_property
    def chat(self) -> "Chat":
        """Answers with citations, from what is stored: files are not read here, and there are no pictures."""
        from nestor.adapters.nova.requests import embedder_id
        from nestor.chat import Chat
        from nestor.chat.sources import Sources
        from nestor.chat.thresholds import Thresholds

        return Chat(
            search=self.search,
            strategy=self.strategy,
            sources=Sources(thumbnails=self.thumbnails),
            thresholds=Thresholds(
                search=self.search,
                embedder=lambda: embedder_id(self._settings.model_id),
                calibrations=_NoCalibrations(),
                segments=lambda: sum(manifest.segments for manifest in self.manifests.all()),
                free=False,
            ),
            model=self._model(),
        )

    def strategy(self, name: str | None = None, *, coarse: int = COARSE[0], candidates: int = CANDIDATES) -> Strategy:
        """Return the strategy of that name, the settings' own without one. Raises InvalidInput."""
        asked = Asked(query="", strategy=name, coarse=coarse, candidates=candidates)
        return questions.strategy(self._settings, self._clients, asked, self.vectors)

    def read_options(self) -> NoReturn:
        """Refuse: what reads files is not carried by this function."""
        raise Refused(415, "WordsOnly", 'Here a question is words: send JSON such as {"query": "words"}.')

    @functools.cached_property
    def _objects(self) -> "S3Objects":
        """Objects over a client that signs what it hands over, with a connection for each reader of manifests."""
        from botocore.config import Config

        from nestor.adapters.listed_manifests import READERS

        config = Config(
            connect_timeout=5.0,
            read_timeout=20.0,
            signature_version="s3v4",
            max_pool_connections=READERS,
            retries={"mode": "standard", "total_max_attempts": 4},
        )
        self._clients("s3", config)
        return self._clients.objects

    def _model(self) -> "ChatModel | None":
        if not self._settings.chat_model:
            return None
        from nestor.adapters.models.bedrock import BedrockModel, client

        return BedrockModel(client(), model_id=self._settings.chat_model, sees=False)


class _NoThumbnails:
    """The pipeline keeps no pictures."""

    def put(self, object_id: str, index: int, jpeg: bytes) -> None:
        """Keep nothing."""

    def get(self, object_id: str, index: int) -> None:
        """Return nothing."""

    def delete(self, object_id: str, *, from_index: int = 0) -> None:
        """Remove nothing."""


class _NoCalibrations:
    """Nobody measures here: a hundred questions cost money."""

    def get(self, embedder: str, dimension: int) -> None:
        """Return nothing."""

    def put(self, calibration: Calibration) -> None:  # noqa: ARG002 - the port's name
        """Refuse."""
        raise InvalidInput("Thresholds are not measured here.")
