"""An S3 bucket of the pipeline, and who may do what in it."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.findings import accept
from infra.constructs.role import Role

_KEYS = "Keys are made while it runs; the prefix is as narrow as they allow, and the bucket serves nothing else."


class BucketGrants:
    """Who may do what in a bucket, by its name and its ARN."""

    def __init__(self, name: str, arn: str) -> None:
        """Speak of this bucket."""
        self.name = name
        self._arn = arn

    def grant_list(self, role: Role) -> None:
        """Allow to list; without it a missing object answers 403 in place of 404."""
        role.grant(["s3:ListBucket"], on=[self._arn])

    def grant_read(self, role: Role, prefix: str = "") -> None:
        """Allow to read below the prefix."""
        self._grant(role, ["s3:GetObject"], prefix)

    def grant_write(self, role: Role, prefix: str = "") -> None:
        """Allow to write below the prefix."""
        self._grant(role, ["s3:PutObject"], prefix)

    def grant_delete(self, role: Role, prefix: str = "") -> None:
        """Allow to delete below the prefix."""
        self._grant(role, ["s3:DeleteObject"], prefix)

    def _grant(self, role: Role, actions: list[str], prefix: str) -> None:
        role.grant(actions, on=[f"{self._arn}/{prefix}*"], because=_KEYS)


class MediaBucket(Construct, BucketGrants):
    """A private, encrypted bucket, reached by TLS only, retained with what is in it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey | None,
        events: bool = False,
        versioned: bool = False,
        expire_days: int | None = None,
        origins: Sequence[str] = (),
    ) -> None:
        """Make it: `events` go to EventBridge; what is older than `expire_days` is removed by S3.

        Pages of these origins may store files by a signed form, and see that they did.
        """
        Construct.__init__(self, scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Resource",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=bool(key),
            versioned=versioned,
            cors=[_from_pages(origins)] if origins else None,
            removal_policy=RemovalPolicy.RETAIN,  # CloudFormation cannot remove a bucket that holds objects
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(expire_days) if expire_days else None,
                    noncurrent_version_expiration=Duration.days(90) if versioned else None,
                    # What tells that an object is gone; each listing would step over all of them.
                    expired_object_delete_marker=True if versioned else None,
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
        )
        BucketGrants.__init__(self, self.bucket.bucket_name, self.bucket.bucket_arn)
        if events:
            _send_events(self.bucket)
        accept(
            self.bucket,
            "S1",
            reason="Who read and wrote what is told by CloudTrail data events, where an account wants it.",
        )

    @property
    def exported(self) -> BucketGrants:
        """The bucket as another stack may speak of it."""
        stack = Stack.of(self)
        return BucketGrants(stack.export_value(self.bucket.bucket_name), stack.export_value(self.bucket.bucket_arn))


def _from_pages(origins: Sequence[str]) -> s3.CorsRule:
    return s3.CorsRule(
        allowed_origins=list(origins), allowed_methods=[s3.HttpMethods.POST], allowed_headers=["*"], max_age=3_600
    )


def _send_events(bucket: s3.Bucket) -> None:
    # `event_bridge_enabled` of the L2 bucket would bring a function and a role of its own, to set this one property.
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - what CDK documents
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )
