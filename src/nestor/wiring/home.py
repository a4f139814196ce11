"""What lies behind the use cases of one home: its client, its indexes, its manifests, its embedder."""

import functools
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nestor.adapters.manifests import SqliteManifests
from nestor.adapters.thumbnails import FolderThumbnails
from nestor.domain import DIMENSIONS
from nestor.ports import Embedder, Vectors
from nestor.settings import Settings
from nestor.wiring import clients, embedders

if TYPE_CHECKING:
    from nestor.adapters.s3vectors import S3Vectors
    from nestor.migration.source import Placeholder


class Home:
    """The parts of one home; each is opened when it is first asked for. A context manager.

    `read_only` lets several processes look while another one writes.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool = False,
        embedder: Embedder | None = None,
        with_codes: bool = True,
        settles: bool = True,
    ) -> None:
        """Wire by these settings, with the embedder that they name unless another one is given.

        `with_codes` is what `ingest` does: see Storing. What `settles` leaves the indexes of this process ready to be
        searched, which may take a build; an error or an interrupt ends at once all the same.

        Raises HomeBusy from the first use when another process is writing.
        """
        self.settings = settings
        self._embedder = embedder
        self._with_codes = with_codes
        self._read_only = read_only
        self._settles = settles and not read_only
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Close on leaving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        self._closing.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close what was opened; nothing can be used after it."""
        self._closing.close()

    @functools.cached_property
    def embedder(self) -> Embedder:
        """The embedder of files and questions."""
        return self._embedder if self._embedder is not None else embedders.embedder(self.settings)

    @functools.cached_property
    def client(self) -> Any:
        """The boto3 `s3vectors` client: this process, `endpoint_url` or AWS."""
        return clients.s3vectors(self.settings, read_only=self._read_only, settles=self._settles, closing=self._closing)

    @property
    def vectors(self) -> Vectors:
        """The indexes, whichever transport is behind the client."""
        return self.store

    @functools.cached_property
    def store(self) -> "S3Vectors":
        """The indexes, with what reads and changes them whole."""
        from nestor.adapters.s3vectors import S3Vectors

        return S3Vectors(self.client, bucket=self.settings.vector_bucket)

    @functools.cached_property
    def manifests(self) -> SqliteManifests:
        """What is stored, by asset."""
        manifests = SqliteManifests(self.settings.home / "manifests.sqlite", create=not self._read_only)
        self._closing.callback(manifests.close)
        return manifests

    def dimensions(self) -> tuple[int, ...]:
        """Return the sizes that files are stored at: those that `reindex` left, as the first manifest tells."""
        first = self.manifests.first()
        return DIMENSIONS if first is None else first.dimensions

    @functools.cached_property
    def thumbnails(self) -> FolderThumbnails:
        """Pictures of segments."""
        return FolderThumbnails(self.settings.home / "thumbnails")

    def placeholder(self, address: str, *, connections: int = 10) -> "Placeholder":
        """Return the placeholder in the folder or at `s3://bucket/prefix`."""
        from nestor.migration.source import Placeholder

        if address.startswith("s3://"):
            from nestor.adapters.objects import S3Objects

            objects = S3Objects(clients.s3(self.settings, connections=connections))
            return Placeholder(objects, root=address, name=address)
        from nestor.adapters.folder_objects import FolderObjects

        folder = Path(address).expanduser().absolute()
        return Placeholder(FolderObjects(folder), root="s3://folder/", name=str(folder))

    def embedder_id(self) -> str:
        """Return the id of the embedder, without loading or reaching it where that can be avoided."""
        if self._embedder is None and self.settings.embedder == "nova":
            from nestor.adapters.nova.requests import embedder_id

            return embedder_id(self.settings.model_id)  # without a client, hence without a region
        return self.embedder.id
