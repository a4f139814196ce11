"""The vector bucket, its four indexes, and who may do what with them."""

from collections.abc import Sequence

from aws_cdk import CfnTag, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3vectors as s3vectors
from constructs import Construct

from infra.constructs import arns
from infra.constructs.role import Role
from nestor.adapters.s3vectors.indexes import EMBEDDER_TAG, index_name
from nestor.adapters.s3vectors.limits import NON_FILTERABLE
from nestor.domain import DIMENSIONS


class VectorIndexes:
    """The four indexes of a vector bucket, by name: stacks share them without exports."""

    def __init__(self, bucket: str) -> None:
        """Speak of the indexes of this bucket."""
        self.bucket = bucket

    @property
    def arns(self) -> list[str]:
        """The addresses of the four."""
        return [arns.index(self.bucket, index_name(dimension)) for dimension in DIMENSIONS]

    def grant_read_embedder(self, role: Role) -> None:
        """Allow to see which embedder filled them."""
        self._grant(role, ["GetIndex", "ListTagsForResource"])

    def grant_query(self, role: Role) -> None:
        """Allow to search. With a filter or metadata, QueryVectors needs GetVectors as well."""
        self._grant(role, ["QueryVectors", "GetVectors"])

    def grant_write(self, role: Role) -> None:
        """Allow to put vectors, and to remove those that are stale."""
        self._grant(role, ["PutVectors", "DeleteVectors"])

    def grant_delete(self, role: Role) -> None:
        """Allow to remove vectors."""
        self._grant(role, ["DeleteVectors"])

    def grant_settings(self, role: Role) -> None:
        """Allow to set the mode and the text search."""
        self._grant(role, ["GetIndex", "UpdateIndexMode", "UpdateMetadataConfiguration"])
        role.ignore("W3037")  # cfn-lint's list of actions is older than UpdateMetadataConfiguration (botocore 1.44.4)

    def _grant(self, role: Role, operations: Sequence[str]) -> None:
        role.grant([f"s3vectors:{operation}" for operation in operations], on=self.arns)


class VectorBucket(Construct):
    """The vector bucket with an index for each size of the embedding; retained, for an index cannot be brought back."""

    def __init__(
        self, scope: Construct, construct_id: str, *, indexes: VectorIndexes, embedder: str, key: kms.IKey | None
    ) -> None:
        """Make them, bound to that embedder."""
        super().__init__(scope, construct_id)
        bucket = s3vectors.CfnVectorBucket(
            self, "Bucket", vector_bucket_name=indexes.bucket, encryption_configuration=_encrypted(key) if key else None
        )
        bucket.apply_removal_policy(RemovalPolicy.RETAIN)
        for dimension in DIMENSIONS:
            index = s3vectors.CfnIndex(
                self,
                f"Index{dimension}",
                vector_bucket_name=indexes.bucket,
                index_name=index_name(dimension),
                data_type="float32",
                dimension=dimension,
                distance_metric="cosine",
                metadata_configuration=s3vectors.CfnIndex.MetadataConfigurationProperty(
                    non_filterable_metadata_keys=list(NON_FILTERABLE)
                ),
                tags=[CfnTag(key=EMBEDDER_TAG, value=embedder)],
            )
            index.apply_removal_policy(RemovalPolicy.RETAIN)
            index.add_resource_dependency(bucket)


def _encrypted(key: kms.IKey) -> s3vectors.CfnVectorBucket.EncryptionConfigurationProperty:
    return s3vectors.CfnVectorBucket.EncryptionConfigurationProperty(sse_type="aws:kms", kms_key_arn=key.key_arn)
