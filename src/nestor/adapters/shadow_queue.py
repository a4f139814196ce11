"""Shadow queries into an SQS queue."""

from typing import Any


class ShadowQueue:
    """Sends messages. Raises what botocore does: nobody is told of it but by a count."""

    def __init__(self, client: Any, *, url: str) -> None:
        """Send through this `sqs` client."""
        self._client = client
        self._url = url

    def send(self, message: str) -> None:
        """Send one."""
        self._client.send_message(QueueUrl=self._url, MessageBody=message)
