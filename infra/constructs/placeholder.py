"""The placeholder: a bucket of somebody else's, where embeddings lie as JSON objects."""

from infra.config import Environment
from infra.constructs import arns
from infra.constructs.role import Role


def grant_read(environment: Environment, role: Role) -> None:
    """Allow to list and to read the placeholder of an environment."""
    bucket, prefix = environment.placeholder_place
    role.grant(["s3:ListBucket"], on=[arns.bucket(bucket)])
    role.grant(
        ["s3:GetObject"],
        on=[arns.objects(bucket, prefix)],
        because="All that lies below the prefix is the placeholder, and all of it is read.",
    )
