"""`api`: the application of `nestor serve` as a function, over the buckets of the pipeline."""

from collections.abc import Mapping

from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns
from infra.constructs.function import Function
from infra.constructs.media_bucket import BucketGrants

UPLOADS = "uploads/"
"""Where clients store files, unless their folder says how they are filed."""


class Application(Construct):
    """Lists, shows and deletes assets, hands files over, compares and chats; it writes no vectors and no manifests.

    What a client stores with a form that was signed here, is stored as this role; so is what it fetches.
    """

    def __init__(  # noqa: PLR0913 - named values, each of another kind
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        source: BucketGrants,
        state: BucketGrants,
        code: lambda_.Code,
        variables: Mapping[str, str],
        key: kms.IKey | None,
    ) -> None:
        """Make the function; `variables` are those of a function that answers questions."""
        super().__init__(scope, construct_id)
        by_prefix = environment.embedding.collection_from_prefix
        self.function = Function(
            self,
            "Function",
            environment=environment,
            part="api",
            code=code,
            variables={
                **variables,
                "NESTOR_SOURCE_BUCKET": source.name,
                "NESTOR_STATE_BUCKET": state.name,
                "NESTOR_COLLECTION_FROM_PREFIX": str(by_prefix).lower(),
                "NESTOR_ALLOWED_ORIGINS": " ".join(environment.api.allowed_origins),
                "NESTOR_CHAT_MODEL": environment.api.chat_model,
            },
            key=key,
        )
        role = self.function.role
        state.grant_list(role)
        state.grant_read(role, "manifests/")
        source.grant_list(role)
        source.grant_read(role)
        source.grant_write(role, "" if by_prefix else UPLOADS)
        source.grant_delete(role)
        if environment.api.chat_model:
            role.grant(
                ["bedrock:InvokeModelWithResponseStream"],
                on=arns.chat_models(environment.api.chat_model),
                because="An inference profile chooses the Region; the model is this one.",
            )
