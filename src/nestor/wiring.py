"""The composition root: settings in, use cases out. The only module of Nestor that knows the engine."""

import functools
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nestor import media
from nestor.adapters.manifests import SqliteManifests
from nestor.adapters.thumbnails import FolderThumbnails
from nestor.domain import DIMENSIONS
from nestor.errors import HomeBusy, InvalidInput, VectorsError
from nestor.ingest import Ingest
from nestor.library import Library
from nestor.ports import Embedder, Vectors
from nestor.search import Search
from nestor.settings import NOVA_MODEL_ID, Settings

if TYPE_CHECKING:
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.s3vectors import S3Vectors
    from nestor.adapters.s3vectors.setup import SetUp
    from nestor.caches import CachedEmbedder, KeptEmbeddings
    from nestor.doctor import Doctor
    from nestor.migration.moving import Moving
    from nestor.migration.rollback import Rollback
    from nestor.migration.source import Placeholder
    from nestor.reindex import Reindex
    from nestor.strategies import Strategy
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

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool = False,
        embedder: Embedder | None = None,
        with_codes: bool = True,
    ) -> None:
        """Wire by these settings, with the embedder that they name unless another one is given.

        `with_codes` is what `ingest` does: see Storing.

        Raises HomeBusy from the first use when another process is writing.
        """
        self.settings = settings
        self._embedder = embedder
        self._with_codes = with_codes
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
            embedder=self.embedder,
            vectors=self.vectors,
            manifests=self.manifests,
            thumbnails=self.thumbnails,
            # Those that `reindex` left, as the first manifest tells.
            dimensions=next((manifest.dimensions for manifest in self.manifests.all()), DIMENSIONS),
            with_codes=self._with_codes,
        )

    @functools.cached_property
    def search(self) -> Search:
        """Questions in, hits out; the embeddings of questions in words are remembered in memory."""
        return Search(embedder=self.questions, vectors=self.vectors)

    @functools.cached_property
    def questions(self) -> "CachedEmbedder":
        """The embedder of questions, which remembers: its `rate` tells how often."""
        from nestor.caches import CachedEmbedder

        return CachedEmbedder(self.embedder)

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

    def placeholder(self, address: str, *, connections: int = 10) -> "Placeholder":
        """Return the placeholder in the folder or at `s3://bucket/prefix`."""
        from nestor.migration.source import Placeholder

        if address.startswith("s3://"):
            from nestor.adapters.objects import S3Objects

            return Placeholder(S3Objects(self._s3(connections)), root=address, name=address)
        from nestor.adapters.folder_objects import FolderObjects

        folder = Path(address).expanduser().absolute()
        return Placeholder(FolderObjects(folder), root="s3://folder/", name=str(folder))

    def migration(
        self,
        address: str,
        *,
        told: bool = False,
        jobs: int = 4,
        per_second: float | None = None,
        dry_run: bool = False,
    ) -> "Moving":
        """Return the migration of that placeholder into this bucket, going on where an earlier one stopped.

        With `told`, the embeddings are of this embedder; else of the one that the objects name, Nova where they do not.
        Without `per_second`, AWS is sent what an index takes, and any other endpoint as much as it can take.
        """
        from nestor.adapters.folder_objects import FolderObjects
        from nestor.adapters.nova.requests import embedder_id
        from nestor.adapters.s3vectors.rows import S3Rows
        from nestor.migration.journal import Journal, folder_of
        from nestor.migration.migrate import Migration
        from nestor.migration.moving import Moving
        from nestor.migration.pace import SERVICE, Pace
        from nestor.migration.reading import AssetReader
        from nestor.migration.verify import Verifier

        placeholder = self.placeholder(address, connections=2 * jobs)
        target = f"{self.settings.endpoint_url or self.settings.vectors}/{self.settings.vector_bucket}"
        folder = folder_of(self.settings.home, placeholder.name, target, dry_run=dry_run)
        journal = Journal(folder / "journal.sqlite")
        self._closing.callback(journal.close)
        if per_second is None and self.settings.vectors == "aws" and not self.settings.endpoint_url:
            per_second = SERVICE
        quarantine = None if dry_run else FolderObjects(folder / "quarantine")
        migration = Migration(
            placeholder,
            reader=AssetReader(placeholder, quarantine=quarantine),
            vectors=self.vectors,
            manifests=self.manifests,
            journal=journal,
            pace=Pace(per_second),
            jobs=jobs,
        )
        rows = S3Rows(self.client, bucket=self.settings.vector_bucket)
        verifier = Verifier(placeholder, journal=journal, vectors=self.vectors, rows=rows)
        return Moving(
            migration=migration,
            verifier=verifier,
            journal=journal,
            folder=folder,
            embedder=self._embedder_id() if told else None,
            untold=embedder_id(self.settings.model_id),
            per_second=per_second,
            dry_run=dry_run,
        )

    def rollback(self, address: str, *, layout: str = "folders", jobs: int = 4) -> "Rollback":
        """Return what writes the indexes back as a placeholder there."""
        from nestor.adapters.s3vectors.rows import S3Rows
        from nestor.migration.rollback import Rollback

        placeholder = self.placeholder(address, connections=2 * jobs)
        rows = S3Rows(self.client, bucket=self.settings.vector_bucket)
        return Rollback(placeholder, rows=rows, manifests=self.manifests, layout=layout, jobs=jobs)

    def strategy(
        self,
        name: str | None = None,
        *,
        coarse: int = 256,
        candidates: int = 100,
        placeholder: str | None = None,
    ) -> "Strategy":
        """Return the strategy of that name; without one that which a rollback chose for this home, else `direct`.

        `placeholder` is the folder or `s3://bucket/prefix` that `manual` scans. Raises InvalidInput.
        """
        from nestor import strategies
        from nestor.migration.switch import chosen
        from nestor.scan import Scan

        choice = chosen(self.settings.home) if name is None or placeholder is None else None
        wanted = name or (choice.strategy if choice else "direct")
        address = placeholder or (choice.placeholder if choice else None)
        manual = wanted == "manual" and address is not None
        return strategies.strategy(
            wanted,
            self.vectors,
            coarse=coarse,
            candidates=candidates,
            kept=self.kept,
            placeholder=Scan(self.placeholder(address)) if manual and address else None,
        )

    @functools.cached_property
    def kept(self) -> "KeptEmbeddings":
        """Candidates' embeddings that `refetch` read before."""
        from nestor.caches import KeptEmbeddings

        return KeptEmbeddings()

    def choose_manual(self, address: str) -> None:
        """Make the manual strategy over that placeholder the one of this home."""
        from nestor.migration.switch import MANUAL, Choice, choose

        choose(self.settings.home, Choice(MANUAL, self.placeholder(address).name))

    def strategy_forgotten(self) -> bool:
        """Take back what `choose_manual` chose; return whether there was something."""
        from nestor.migration.switch import choose, chosen

        there = chosen(self.settings.home) is not None
        choose(self.settings.home, None)
        return there

    def doctor(self, *, state_bucket: str | None = None) -> "Doctor":
        """Return what examines this bucket with the manifests of this home, or those that the stacks keep."""
        from nestor.adapters.object_manifests import ObjectManifests
        from nestor.adapters.objects import S3Objects
        from nestor.adapters.s3vectors.inspection import Inspection
        from nestor.doctor import Doctor

        kept = ObjectManifests(S3Objects(self._s3(10)), bucket=state_bucket) if state_bucket else self.manifests
        inspection = Inspection(self.client, bucket=self.settings.vector_bucket)
        return Doctor(inspection, vectors=self.vectors, manifests=kept, embedder=self._embedder_id())

    def _s3(self, connections: int) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(max_pool_connections=connections, retries={"mode": "standard", "total_max_attempts": 6})
        session = boto3.session.Session(region_name=self.settings.region)
        return session.client("s3", region_name=session.region_name or "us-east-1", config=config)

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

    @property
    def vectors(self) -> Vectors:
        """The indexes, whichever transport is behind the client."""
        return self.store

    @functools.cached_property
    def store(self) -> "S3Vectors":
        """The indexes, with what reads and changes them whole."""
        from nestor.adapters.s3vectors import S3Vectors

        return S3Vectors(self.client, bucket=self.settings.vector_bucket)

    @property
    def reindex(self) -> "Reindex":
        """Indexes and codes added or dropped."""
        from nestor.reindex import Reindex

        return Reindex(store=self.store, manifests=self.manifests)

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
