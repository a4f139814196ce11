"""The placeholder's way into the indexes: its inventory, and one batch of it."""

from typing import TYPE_CHECKING

from nestor.functions.clients import Clients
from nestor.settings.migration import MigrateSettings

if TYPE_CHECKING:
    from nestor.adapters.objects import S3Objects
    from nestor.migration.batches import Inventory, Moves


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
