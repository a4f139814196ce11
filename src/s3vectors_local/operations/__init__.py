"""The wire table: a request in, the engine's answer or a service error out. Both faces use it."""

from s3vectors_local.operations.wire import OPERATIONS, Call, Reply, answer, oversized, refusal

__all__ = ["OPERATIONS", "Call", "Reply", "answer", "oversized", "refusal"]
