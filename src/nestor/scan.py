"""The placeholder's objects as rows to scan, under the keys and the metadata that a migration would give them."""

from collections.abc import Iterator

from nestor.domain import segment_key
from nestor.errors import ObjectMissing
from nestor.metadata import metadata_of
from nestor.migration.naming import describe
from nestor.migration.placeholder import Damaged, parse, place_of
from nestor.migration.source import Placeholder
from nestor.strategies.manual import Stored


class Scan:
    """Reads every object of a size, each time: what was written since is found, too."""

    def __init__(self, placeholder: Placeholder) -> None:
        """Read these."""
        self._placeholder = placeholder

    def rows(self, dimension: int) -> Iterator[Stored]:
        """Yield every embedding of that size; other objects are passed by.

        Raises ObjectsError, and Damaged for an embedding that cannot be read: an answer without it would be wrong.
        ObjectMissing where there is none of that size: nothing would be found, whatever is asked.
        """
        found = False
        for path in self._placeholder.paths():
            place = place_of(path)
            if place is None or place.dimension != dimension:
                continue
            found = True
            content = self._placeholder.read(path)
            try:
                parsed = parse(content, dimension=dimension)
            except Damaged as error:
                raise Damaged(f"{path} in {self._placeholder.name}: {error}", reason=error.reason) from error
            described = describe(parsed.metadata, place)
            key = segment_key(described.manifest.object_id, described.segment.index)
            yield Stored(key, parsed.embedding, metadata_of(described.manifest, described.segment), len(content))
        if not found:
            raise ObjectMissing(
                f"{self._placeholder.name} holds no embedding of {dimension} components.", code="NoSuchSize"
            )
