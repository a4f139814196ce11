"""Operations on the tags of buckets and indexes."""

import sqlite3
from collections.abc import Mapping, Sequence

from s3vectors_local import limits, names
from s3vectors_local.engine.base import Base, known_bucket, known_index
from s3vectors_local.errors import ResourceNotFound, ValidationException
from s3vectors_local.storage import catalogue


class Tags(Base):
    """The tags of an engine."""

    def get_tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a bucket or an index. Raises NotFoundException."""
        with self._store.read() as c:
            return catalogue.tags(c, *self._resource(c, arn))

    def put_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or replace tags. Raises NotFoundException, and ValidationException for more than 50 in all."""
        with self._store.write() as c:
            resource = self._resource(c, arn)
            catalogue.put_tags(c, *resource, tags)
            if len(catalogue.tags(c, *resource)) > limits.TAGS:
                raise ValidationException("Too many tags specified")

    def remove_tags(self, arn: str, keys: Sequence[str]) -> None:
        """Remove tags; absent ones are ignored. Raises NotFoundException."""
        with self._store.write() as c:
            catalogue.remove_tags(c, *self._resource(c, arn), keys)

    def _resource(self, c: sqlite3.Connection, text: str) -> tuple[int, int]:
        arn = names.parse_arn(text)
        if arn is None:
            raise ValidationException("Invalid resource ARN")
        if not self.owner.owns(arn):
            raise ResourceNotFound
        if arn.index is None:
            return known_bucket(c, arn.bucket).id, 0
        index = known_index(c, arn.bucket, arn.index)
        return known_bucket(c, arn.bucket).id, index.id
