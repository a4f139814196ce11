"""Operations on vector buckets and their policies."""

from collections.abc import Mapping

from s3vectors_local import limits, names, pages
from s3vectors_local.checks import refuse_classic
from s3vectors_local.engine.base import Base, known_bucket
from s3vectors_local.errors import BucketExists, BucketNotEmpty, PolicyNotFound, ServiceQuotaExceededException
from s3vectors_local.model import Bucket, Encryption, Mode, Page
from s3vectors_local.storage import catalogue

_ENCRYPTION = Encryption()


class Buckets(Base):
    """The buckets of an engine."""

    def create_bucket(
        self, name: str, *, encryption: Encryption = _ENCRYPTION, tags: Mapping[str, str] | None = None
    ) -> Bucket:
        """Create a bucket whose indexes will be ENHANCED. Raises BucketExists, ValidationException."""
        names.check_bucket_name(name)
        with self._store.write() as c:
            if catalogue.bucket(c, name):
                raise BucketExists
            if catalogue.count_buckets(c) >= limits.BUCKETS:
                raise ServiceQuotaExceededException("You have reached the maximum number of vector buckets")
            id_ = catalogue.add_bucket(c, name, created=self._now(), encryption=encryption, mode=Mode.ENHANCED)
            catalogue.put_tags(c, id_, 0, tags or {})
            return known_bucket(c, name)

    def get_bucket(self, name: str) -> Bucket:
        """Return a bucket. Raises BucketNotFound."""
        with self._store.read() as c:
            return known_bucket(c, name)

    def list_buckets(
        self, *, prefix: str = "", limit: int = limits.LIST_DEFAULT, token: str | None = None
    ) -> Page[Bucket]:
        """Return buckets by name, a page at a time."""
        scope = pages.scope("ListVectorBuckets", prefix)
        after = self._position(token, scope)
        with self._store.read() as c:
            found = catalogue.buckets(c, prefix=prefix, after=after.decode(), limit=limit + 1)
        return self._named_page(found, limit, scope)

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket without indexes. Raises BucketNotEmpty, BucketNotFound."""
        with self._store.write() as c:
            bucket = known_bucket(c, name)
            if catalogue.count_indexes(c, bucket.id):
                raise BucketNotEmpty
            catalogue.remove_bucket(c, bucket.id)

    def set_default_mode(self, bucket: str, mode: Mode) -> None:
        """Set the mode of future indexes; ENHANCED is the only one that new buckets offer. Raises BucketNotFound."""
        with self._store.write() as c:
            id_ = known_bucket(c, bucket).id
            refuse_classic(mode, "bucket")
            catalogue.set_default_mode(c, id_, mode)

    def put_policy(self, bucket: str, policy: str) -> None:
        """Set the bucket's policy; callers with policies are held to it. Raises BucketNotFound."""
        with self._store.write() as c:
            catalogue.set_policy(c, known_bucket(c, bucket).id, policy)

    def get_policy(self, bucket: str) -> str:
        """Return the bucket's policy. Raises BucketNotFound, PolicyNotFound."""
        policy = self.get_bucket(bucket).policy
        if policy is None:
            raise PolicyNotFound
        return policy

    def delete_policy(self, bucket: str) -> None:
        """Remove the bucket's policy if there is one. Raises BucketNotFound."""
        with self._store.write() as c:
            catalogue.set_policy(c, known_bucket(c, bucket).id, None)
