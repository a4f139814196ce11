"""What the indexes hold, written back as the placeholder's objects; the indexes are only read.

Doing it again writes the same objects again. A migration of what it wrote gives the same vectors, bit for bit.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nestor.domain import Manifest, Status, segment_key
from nestor.errors import InvalidInput, ObjectMissing
from nestor.migration.naming import told
from nestor.migration.placeholder import FOLDERS, Place, document, path_of, place_of
from nestor.migration.reading import MIGRATED
from nestor.migration.source import Placeholder
from nestor.migration.verify import Rows
from nestor.ports import Manifests

_TOGETHER: Final = 100


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of one asset."""

    uri: str
    segments: int
    """Written at every size that the asset has."""
    incomplete: tuple[str, ...] = ()
    """Keys that some of the indexes lack."""


class Rollback:
    """Writes assets back."""

    def __init__(
        self,
        placeholder: Placeholder,
        *,
        rows: Rows,
        manifests: Manifests,
        layout: str = FOLDERS,
        jobs: int = 4,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read rows and manifests, write objects of this layout, in so many threads."""
        self._placeholder = placeholder
        self._rows = rows
        self._manifests = manifests
        self._layout = layout
        self._jobs = jobs
        self._clock = clock

    def assets(self, *, everything: bool = False) -> list[Manifest]:
        """Return what is to be written: what was stored otherwise than by a migration, or everything."""
        return [each for each in self._manifests.all() if each.status is Status.STORED and (everything or _added(each))]

    def unfinished(self) -> list[Manifest]:
        """Return what is neither stored nor failed: an ingest or a deletion was interrupted."""
        return [each for each in self._manifests.all() if each.status in {Status.STORING, Status.DELETING}]

    def check(self, assets: list[Manifest]) -> None:
        """Raise InvalidInput where these are none and none was written before: a search there would find nothing."""
        if assets or self._holds_embeddings():
            return
        if self.assets(everything=True):
            raise InvalidInput(
                f"Nothing was added since the migration, and {self._placeholder.name} holds no embedding: name the "
                "placeholder that was migrated, or write everything back with --all."
            )
        raise InvalidInput(f"Nothing is stored in this home that could be written to {self._placeholder.name}.")

    def _holds_embeddings(self) -> bool:
        try:
            return any(place_of(path) for path in self._placeholder.paths())
        except ObjectMissing:
            return False

    def run(self, assets: list[Manifest]) -> Iterator[Returned]:
        """Yield what became of each, as soon as it is written. Raises VectorsError, ObjectsError."""
        with ThreadPoolExecutor(self._jobs, "nestor-rollback") as pool:
            yield from pool.map(self._write, assets)

    def _write(self, manifest: Manifest) -> Returned:
        now = self._clock()
        found: dict[str, int] = {}
        for dimension in manifest.dimensions:
            for start in range(0, manifest.segments, _TOGETHER):
                numbers = range(start, min(start + _TOGETHER, manifest.segments))
                keys = {segment_key(manifest.object_id, number): number for number in numbers}
                for key, row in self._rows.get(dimension, list(keys)).items():
                    place = Place(manifest.object_id, keys[key], dimension, self._layout)
                    metadata = told(row.metadata, manifest, dimension=dimension, now=now)
                    self._placeholder.write(path_of(place), document(row.embedding, metadata, layout=self._layout))
                    found[key] = found.get(key, 0) + 1
        # A segment that the embedder refused is in none of them.
        incomplete = tuple(key for key, sizes in found.items() if sizes < len(manifest.dimensions))
        return Returned(manifest.uri, len(found) - len(incomplete), incomplete)


def _added(manifest: Manifest) -> bool:
    return not manifest.content_hash.startswith(MIGRATED)
