"""The composition root: settings in, use cases out. The only module of Nestor that knows the engine."""

import functools
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nestor import media
from nestor.adapters.manifests import SqliteManifests
from nestor.adapters.thumbnails import FolderThumbnails
from nestor.errors import HomeBusy, InvalidInput, VectorsError
from nestor.ingest import Ingest
from nestor.library import Library
from nestor.ports import Embedder, Vectors
from nestor.search import Search
from nestor.settings import NOVA_MODEL_ID, Settings

if TYPE_CHECKING:
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.s3vectors.setup import SetUp
    from s3vectors_local import Engine


def nova(
    *,
    region: str | None = None,
    model_id: str = NOVA_MODEL_ID,
    requests_per_minute: int = 600,
    concurrency: int = 4,
    attempts: int = 6,
) -> "NovaEmbedder":
    """Return the embedder of Amazon Nova; botocore reads AWS_ENDPOINT_URL_BEDROCK_RUNTIME by itself.

    Each call is attempted that many times. Raises InvalidInput when no region is known, EmbeddingFailed when there are
    no credentials.
    """
    from nestor.adapters.nova.client import client
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.nova.pace import Pace

    pace = Pace(requests_per_minute=requests_per_minute, concurrency=concurrency, attempts=attempts)
    return NovaEmbedder(client(region=region, concurrency=concurrency), pace=pace, model_id=model_id)


class Nestor:
    """Everything wired for one home; each part is opened when it is first asked for. A context manager.

    `read_only` lets several processes look while another one writes.
    """

    def __init__(self, settings: Settings, *, read_only: bool = False, embedder: Embedder | None = None) -> None:
        """Wire by these settings, with the local embedder unless another one is given.

        Raises HomeBusy from the first use when another process is writing.
        """
        self.settings = settings
        self._embedder = embedder
        self._read_only = read_only
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Close on leaving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        self.close()

    def close(self) -> None:
        """Close what was opened; nothing can be used after it."""
        self._closing.close()

    @functools.cached_property
    def ingest(self) -> Ingest:
        """Files in."""
        return Ingest(
            embedder=self.embedder, vectors=self.vectors, manifests=self.manifests, thumbnails=self.thumbnails
        )

    @functools.cached_property
    def search(self) -> Search:
        """Questions in, hits out."""
        return Search(embedder=self.embedder, vectors=self.vectors)

    @functools.cached_property
    def library(self) -> Library:
        """What is stored."""
        return Library(vectors=self.vectors, manifests=self.manifests, thumbnails=self.thumbnails)

    @functools.cached_property
    def embedder(self) -> Embedder:
        """The embedder of files and questions."""
        if self._embedder is not None:
            return self._embedder
        if self.settings.embedder == "nova":
            return nova(
                region=self.settings.region,
                model_id=self.settings.model_id,
                requests_per_minute=self.settings.requests_per_minute,
                concurrency=self.settings.concurrency,
            )
        from nestor.adapters.local import LocalEmbedder

        return LocalEmbedder()

    def read_options(self, **asked: Any) -> media.ReadOptions:
        """Return options that make readers give what the embedder can use; what is asked for wins.

        Raises InvalidInput when a value is out of its range.
        """
        shown = {"clips": True, "image_side": media.LARGE_IMAGE_SIDE} if self.settings.embedder == "nova" else {}
        return media.ReadOptions(**(shown | asked))

    def setup(self) -> "SetUp":
        """Make the bucket and the indexes where missing; say what was there and what differs. Changes nothing else."""
        from nestor.adapters.s3vectors.setup import set_up

        return set_up(self.client, bucket=self.settings.vector_bucket, embedder=self._embedder_id())

    def _embedder_id(self) -> str:
        if self._embedder is None and self.settings.embedder == "nova":
            from nestor.adapters.nova.requests import embedder_id

            return embedder_id(self.settings.model_id)  # without a client, hence without a region
        return self.embedder.id

    @functools.cached_property
    def manifests(self) -> SqliteManifests:
        """What is stored, by asset."""
        manifests = SqliteManifests(self.settings.home / "manifests.sqlite")
        self._closing.callback(manifests.close)
        return manifests

    @functools.cached_property
    def thumbnails(self) -> FolderThumbnails:
        """Pictures of segments."""
        return FolderThumbnails(self.settings.home / "thumbnails")

    @functools.cached_property
    def vectors(self) -> Vectors:
        """The indexes, whichever transport is behind the client."""
        from nestor.adapters.s3vectors import S3Vectors

        return S3Vectors(self.client, bucket=self.settings.vector_bucket)

    @functools.cached_property
    def client(self) -> Any:
        """The boto3 `s3vectors` client: this process, `endpoint_url` or AWS."""
        from nestor.adapters.s3vectors import client_config

        if self.settings.vectors == "embedded":
            return self._embedded_client(client_config())
        import boto3

        session = boto3.session.Session(region_name=self.settings.region)
        region = session.region_name or ("us-east-1" if self.settings.endpoint_url else None)
        if region is None:
            raise InvalidInput("No AWS region is known: set AWS_REGION, or a region in the AWS profile.")
        return session.client(
            "s3vectors", endpoint_url=self.settings.endpoint_url, region_name=region, config=client_config()
        )

    def _embedded_client(self, config: Any) -> Any:
        from s3vectors_local import boto, errors

        folder = self.settings.home / "vectors"
        try:
            engine = self._engine(folder)
        except errors.StoreLocked as error:
            raise HomeBusy(
                f"Another process is writing to {self.settings.home} ({error}). Wait for it, or use another --home."
            ) from error
        except errors.StoreError as error:
            raise VectorsError(f"Cannot use {folder}: {error}", code=type(error).__name__) from error
        self._closing.callback(engine.close)
        if not engine.read_only:
            # A large ingest leaves the indexes ready to be searched; one that failed or was interrupted ends at once.
            self._closing.push(lambda kind, *_: engine.settle() if kind is None else None)
        return boto.client(engine, config=config)

    def _engine(self, folder: Path) -> "Engine":
        from s3vectors_local import errors, open_engine

        if not self._read_only or not folder.exists():
            return open_engine(folder)
        try:
            return open_engine(folder, read_only=True)
        except (errors.StoreTooOld, errors.StoreMissing):
            open_engine(folder).close()  # a writer converts what an older release wrote
            return open_engine(folder, read_only=True)
