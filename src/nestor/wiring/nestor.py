"""Every use case of one home."""

import functools
from typing import TYPE_CHECKING, Any

from nestor import media
from nestor.ingest import Ingest
from nestor.library import Library
from nestor.ports import Embedder
from nestor.wiring import clients
from nestor.wiring.chatting import Chatting
from nestor.wiring.migration import Migrations

if TYPE_CHECKING:
    from nestor.adapters.s3vectors.setup import SetUp
    from nestor.doctor import Doctor
    from nestor.reindex import Reindex
    from nestor.uploads import Uploads


class Nestor(Chatting, Migrations):
    """Everything wired for one home."""

    @functools.cached_property
    def ingest(self) -> Ingest:
        """Files in."""
        return self._ingesting(self.embedder)

    @functools.cached_property
    def uploads(self) -> "Uploads | None":
        """Files in from a face of Nestor, in the background; None where this home is only read."""
        from nestor.uploads import Telling, Uploads

        if self._read_only:
            return None
        return Uploads(
            self.settings.home,
            ingesting=lambda tell: self._ingesting(Telling(self.embedder, tell)),
            library=self.library,
            manifests=self.manifests,
            options=self.read_options(),
        )

    def _ingesting(self, embedder: Embedder) -> Ingest:
        return Ingest(
            embedder=embedder,
            vectors=self.vectors,
            manifests=self.manifests,
            thumbnails=self.thumbnails,
            dimensions=self.dimensions(),
            with_codes=self._with_codes,
        )

    @functools.cached_property
    def library(self) -> Library:
        """What is stored."""
        return Library(vectors=self.vectors, manifests=self.manifests, thumbnails=self.thumbnails)

    @property
    def reindex(self) -> "Reindex":
        """Indexes and codes added or dropped."""
        from nestor.reindex import Reindex

        return Reindex(store=self.store, manifests=self.manifests)

    def read_options(self, **asked: Any) -> media.ReadOptions:
        """Return options that make readers give what the embedder can use; what is asked for wins.

        Raises InvalidInput when a value is out of its range.
        """
        shown = {"clips": True, "image_side": media.LARGE_IMAGE_SIDE} if self.settings.embedder == "nova" else {}
        return media.ReadOptions(**(shown | asked))

    def setup(self) -> "SetUp":
        """Make the bucket and the indexes where missing; say what was there and what differs. Changes nothing else."""
        from nestor.adapters.s3vectors.setup import set_up

        return set_up(self.client, bucket=self.settings.vector_bucket, embedder=self.embedder_id())

    def doctor(self, *, state_bucket: str | None = None) -> "Doctor":
        """Return what examines this bucket with the manifests of this home, or those that the stacks keep."""
        from nestor.adapters.object_manifests import ObjectManifests
        from nestor.adapters.objects import S3Objects
        from nestor.adapters.s3vectors.inspection import Inspection
        from nestor.doctor import Doctor

        kept = (
            ObjectManifests(S3Objects(clients.s3(self.settings, connections=10)), bucket=state_bucket)
            if state_bucket
            else self.manifests
        )
        inspection = Inspection(self.client, bucket=self.settings.vector_bucket)
        return Doctor(inspection, vectors=self.vectors, manifests=kept, embedder=self.embedder_id())
