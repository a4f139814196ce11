"""The table of embeddings of questions."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.config import Environment
from infra.constructs.findings import accept
from infra.constructs.role import Role


class QuestionTable(Construct):
    """A DynamoDB table by the digest of a question, without its words; what has expired is removed by DynamoDB."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, key: kms.IKey | None) -> None:
        """Make it; in production it outlives the stack, for every embedding in it was paid for."""
        super().__init__(scope, construct_id)
        encryption = dynamodb.TableEncryption.CUSTOMER_MANAGED if key else dynamodb.TableEncryption.DEFAULT
        self.table = dynamodb.Table(
            self,
            "Resource",
            partition_key=dynamodb.Attribute(name="question", type=dynamodb.AttributeType.BINARY),
            time_to_live_attribute="expires",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=encryption,
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN if environment.production else RemovalPolicy.DESTROY,
        )
        accept(
            self.table,
            "DDB3",
            reason="It is a cache: what is lost is embedded again, and recovery to a point in time would be paid for.",
        )

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.table_name

    def grant_use(self, role: Role) -> None:
        """Allow to look one question up, and to keep one."""
        role.grant(["dynamodb:GetItem", "dynamodb:PutItem"], on=[self.table.table_arn])
