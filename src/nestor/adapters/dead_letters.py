"""Failed executions kept in an SQS queue, started again by Step Functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from nestor.errors import ObjectsError

_AT_ONCE = 10
"""Messages in one ReceiveMessage."""
_HIDDEN_SECONDS = 120
"""A letter that is being started comes to nobody else for so long."""
_AGAIN = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Letter:
    """One message."""

    id: str
    receipt: str
    body: Mapping[str, Any]
    """Empty where it is no JSON object."""


class SqsDeadLetters:
    """Every method raises ObjectsError with the service's own code."""

    def __init__(self, queue: Any, machines: Any, *, url: str, machine: str) -> None:
        """Take from the queue at `url` by the `sqs` client, start `machine` by the `stepfunctions` client."""
        self._queue = queue
        self._machines = machines
        self._url = url
        self._machine = machine

    def take(self, most: int) -> Iterator[Letter]:
        """Yield so many letters; one that is not deleted comes again later."""
        taken = 0
        while taken < most:
            asked = {
                "MaxNumberOfMessages": min(_AT_ONCE, most - taken),
                "VisibilityTimeout": _HIDDEN_SECONDS,
                "WaitTimeSeconds": 1,  # asks all the servers that keep a part of the queue
            }
            messages = self._call(self._queue, "receive_message", QueueUrl=self._url, **asked).get("Messages", [])
            for message in messages:
                yield Letter(message["MessageId"], message["ReceiptHandle"], _body(message["Body"]))
            taken += len(messages)
            if not messages:
                return

    def start(self, work: Mapping[str, Any], *, name: str) -> None:
        """Start the work; a second start under the same name does nothing."""
        try:
            self._call(
                self._machines,
                "start_execution",
                stateMachineArn=self._machine,
                name=name,
                input=orjson.dumps(work).decode(),
            )
        except ObjectsError as error:
            if error.code != "ExecutionAlreadyExists":
                raise

    def delete(self, receipt: str) -> None:
        """Forget the letter of that receipt."""
        self._call(self._queue, "delete_message", QueueUrl=self._url, ReceiptHandle=receipt)

    def left(self) -> int:
        """Return about how many are still there, those being handled left out."""
        name = "ApproximateNumberOfMessages"
        answer = self._call(self._queue, "get_queue_attributes", QueueUrl=self._url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def _call(self, client: Any, operation: str, **params: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(client, operation)(**params)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code, message = (error.response.get("Error", {}).get(name, "") for name in ("Code", "Message"))
            text = f"{operation} answered {code} ({status}): {message}"
            raise ObjectsError(text, code=code, retryable=status in _AGAIN) from error
        except BotoCoreError as error:
            raise ObjectsError(f"{operation} failed: {error}", code=type(error).__name__, retryable=True) from error
        return answer


def _body(text: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
