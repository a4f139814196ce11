"""The placeholder's data in, and out again."""

from typing import TYPE_CHECKING

from nestor.wiring.home import Home

if TYPE_CHECKING:
    from nestor.migration.moving import Moving
    from nestor.migration.rollback import Rollback


class Migrations(Home):
    """Migrations of one home."""

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
        from nestor.migration.migrate import Migration, Mover
        from nestor.migration.moving import Moving
        from nestor.migration.pace import SERVICE, Pace
        from nestor.migration.reading import AssetReader
        from nestor.migration.source import Placeholder
        from nestor.migration.verify import Verifier

        placeholder = self.placeholder(address, connections=2 * jobs)
        target = f"{self.settings.endpoint_url or self.settings.vectors}/{self.settings.vector_bucket}"
        folder = folder_of(self.settings.home, placeholder.name, target, dry_run=dry_run)
        journal = Journal(folder / "journal.sqlite")
        self._closing.callback(journal.close)
        if per_second is None and self.settings.vectors == "aws" and not self.settings.endpoint_url:
            per_second = SERVICE
        copies = Placeholder(FolderObjects(folder / "quarantine"), root="s3://quarantine/", name="quarantine")
        dimensions = self.dimensions()
        mover = Mover(
            AssetReader(placeholder, quarantine=None if dry_run else copies, dimensions=dimensions),
            vectors=self.vectors,
            manifests=self.manifests,
            pace=Pace(per_second),
        )
        migration = Migration(
            placeholder,
            mover=mover,
            vectors=self.vectors,
            manifests=self.manifests,
            journal=journal,
            dimensions=dimensions,
            jobs=jobs,
        )
        rows = S3Rows(self.client, bucket=self.settings.vector_bucket)
        verifier = Verifier(placeholder, journal=journal, vectors=self.vectors, rows=rows, dimensions=dimensions)
        return Moving(
            migration=migration,
            verifier=verifier,
            journal=journal,
            folder=folder,
            embedder=self.embedder_id() if told else None,
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
