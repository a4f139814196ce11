"""What lies in a placeholder, noted in a journal: its objects, their assets, and which of several uploads counts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from nestor.migration.journal import Journal, Listed
from nestor.migration.naming import UNADDRESSED, describe
from nestor.migration.placeholder import Damaged, metadata_of, place_of
from nestor.migration.source import Placeholder


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in the placeholder."""

    objects: int
    assets: int
    """By address."""
    twice: int
    """Objects that a later one of equal asset, segment and size replaces."""
    older: int
    """Objects of earlier uploads of an asset."""
    embedders: tuple[str, ...]
    """Ids that the objects name, and an empty one where some name none."""
    ignored: tuple[str, ...]
    """Paths of some objects that are no embeddings."""
    ignored_count: int


class Surveyor:
    """Lists the objects, and reads one of each asset for its address."""

    def __init__(self, placeholder: Placeholder, *, journal: Journal, jobs: int) -> None:
        """Note in the journal what is found, reading in so many threads."""
        self._placeholder = placeholder
        self._journal = journal
        self._jobs = jobs

    def survey(self) -> Survey:
        """Look at what there is. Raises ObjectsError, HomeUnusable; it can be done again."""
        ignored: list[str] = []
        ignored_count = objects = 0

        def listed() -> Iterator[Listed]:
            nonlocal ignored_count, objects
            for path in self._placeholder.paths():
                if place := place_of(path):
                    objects += 1
                    yield Listed(place, path)
                else:
                    ignored_count += 1
                    ignored.extend([path] if len(ignored) < 10 else [])

        twice = self._journal.list_anew(listed())
        self._look()
        assets, older = self._journal.choose()
        return Survey(objects, assets, twice, older, self._journal.embedders(), tuple(ignored), ignored_count)

    def _look(self) -> None:
        unknown = self._journal.unknown()
        with ThreadPoolExecutor(self._jobs, "nestor-look") as pool:
            for start in range(0, len(unknown), 1000):
                objects = [(asset, self._journal.objects_of(asset)) for asset in unknown[start : start + 1000]]
                self._journal.know(list(pool.map(self._address, objects)))

    def _address(self, asset: tuple[str, list[Listed]]) -> tuple[str, str, str, str, str]:
        """Return what the journal knows of an asset, as the smallest of its sound objects tells it."""
        name, objects = asset
        for each in objects:
            try:
                metadata = metadata_of(self._placeholder.read(each.path))
            except Damaged:
                continue
            described = describe(metadata, each.place)
            return name, described.manifest.uri, described.version, described.stamp, described.manifest.embedder
        return name, UNADDRESSED + name, "", "", ""
