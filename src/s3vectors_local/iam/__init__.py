"""IAM policies: read strictly, evaluated as IAM does within one account. Knows nothing of requests or engines."""

from s3vectors_local.iam.conditions import ABSENT
from s3vectors_local.iam.decision import Caller, Decision, Request, caller, decide
from s3vectors_local.iam.faults import PolicyFault
from s3vectors_local.iam.policy import Policy, bucket_policy, identity_policies

__all__ = [
    "ABSENT",
    "Caller",
    "Decision",
    "Policy",
    "PolicyFault",
    "Request",
    "bucket_policy",
    "caller",
    "decide",
    "identity_policies",
]
