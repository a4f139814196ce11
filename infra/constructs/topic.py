"""Where alarms go."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.config import Environment
from infra.constructs import arns
from infra.constructs.key import ALARMS, CustomerKey


def address(environment: Environment) -> str | None:
    """Return the ARN of the topic that alarms go to, None where nobody is told."""
    alarms = environment.alarms
    return alarms.topic_arn or (arns.topic(environment.named("alarms")) if alarms.emails else None)


class AlarmTopic(Construct):
    """A topic for the alarms of this environment alone, by TLS only.

    It is encrypted with a key of one's own: CloudWatch may not use the one that SNS brings, and would be silent.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, key: kms.IKey | None) -> None:
        """Make it, with a key for itself where the environment has none; each address is asked to confirm."""
        super().__init__(scope, construct_id)
        name = environment.named("alarms")
        topic = sns.Topic(self, "Resource", topic_name=name, enforce_ssl=True, master_key=key or self._key(environment))
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": arns.alarm(environment.named("*"))},
                },
            )
        )
        for email in environment.alarms.emails:
            topic.add_subscription(subscriptions.EmailSubscription(email))

    def _key(self, environment: Environment) -> kms.IKey:
        alias = f"alias/{environment.named('alarms')}"
        return CustomerKey(self, "Key", alias=alias, services=ALARMS, retained=False).key
