"""Any model of Amazon Bedrock that Converse reaches, Claude and Nova among them."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as ConnectionFailed

from nestor.errors import InvalidInput, ModelFailed, ModelThrottled, ModelUnavailable
from nestor.ports import Message, Usage

CREDENTIALS = (
    "Amazon Bedrock needs AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or run `aws configure`; or set NESTOR_CHAT_URL for a model elsewhere."
)

_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError)
_THROTTLED = "ThrottlingException"
_AGAIN = frozenset(
    {
        _THROTTLED,
        "ServiceUnavailableException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "InternalServerException",
        "ModelStreamErrorException",
    }
)
_SIGNING = frozenset({"UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"})


def client(*, region: str | None = None) -> Any:
    """Return a `bedrock-runtime` client that tries throttled calls three times.

    Raises InvalidInput when no region is known, ModelFailed when there are no credentials.
    """
    import boto3
    from botocore.config import Config

    session = boto3.session.Session(region_name=region)
    if session.region_name is None:
        raise InvalidInput("No AWS region is known for the chat model: set AWS_REGION.")
    if session.get_credentials() is None:
        raise ModelFailed(CREDENTIALS)
    config = Config(connect_timeout=5.0, read_timeout=120.0, retries={"mode": "standard", "total_max_attempts": 3})
    return session.client("bedrock-runtime", config=config)


class BedrockModel:
    """Implements nestor.ports.ChatModel by ConverseStream. Threads may share it."""

    def __init__(self, client: Any, *, model_id: str, sees: bool = True, output_tokens: int = 2_000) -> None:
        """Ask this model through this client for at most so many tokens an answer."""
        self.name = model_id
        self.sees = sees
        self._client = client
        self._output_tokens = output_tokens

    def stream(self, messages: Sequence[Message], *, system: str) -> Generator[str | Usage, None, None]:
        """Yield the pieces and, last, what was counted. Raises ModelFailed, ModelUnavailable."""
        try:
            answer = self._client.converse_stream(
                modelId=self.name,
                messages=[_turn(message) for message in messages],
                system=[{"text": system}],
                inferenceConfig={"maxTokens": self._output_tokens},
            )
            with closing(answer["stream"]) as events:
                yield from _pieces(events)
        except (BotoCoreError, ClientError) as error:
            raise _translated(error, model_id=self.name) from error


def _turn(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": [_block(part) for part in message.parts]}


def _block(part: str | bytes) -> dict[str, Any]:
    return {"text": part} if isinstance(part, str) else {"image": {"format": "jpeg", "source": {"bytes": part}}}


def _pieces(events: Iterator[Mapping[str, Any]]) -> Iterator[str | Usage]:
    stopped = None
    for event in events:
        # Other deltas, such as those of reasoning, are no part of the answer.
        if text := event.get("contentBlockDelta", {}).get("delta", {}).get("text"):
            yield text
        stopped = event.get("messageStop", {}).get("stopReason", stopped)
        if usage := event.get("metadata", {}).get("usage"):
            yield Usage(usage["inputTokens"], usage["outputTokens"], cut=stopped == "max_tokens")
    if stopped is None:
        raise ModelUnavailable("The answer of Amazon Bedrock ended before it was complete. Ask again.")
    if stopped in {"guardrail_intervened", "content_filtered"}:
        raise ModelFailed(f"Amazon Bedrock held the answer back ({stopped}). Ask in other words.")


def _translated(error: BotoCoreError | ClientError, *, model_id: str) -> ModelFailed:
    if isinstance(error, ClientError):
        return _answered(error, model_id=model_id)
    if isinstance(error, _NO_CREDENTIALS):
        return ModelFailed(f"{CREDENTIALS} ({error})")
    if isinstance(error, HTTPClientError | ConnectionFailed) and not isinstance(error, SSLError):
        return ModelUnavailable(f"Amazon Bedrock cannot be reached: {error}")
    return ModelFailed(f"ConverseStream of {model_id} failed: {error}")


def _answered(error: ClientError, *, model_id: str) -> ModelFailed:
    code, message = (str(error.response.get("Error", {}).get(name, "")) for name in ("Code", "Message"))
    text = f"ConverseStream of {model_id} answered {code}: {message.rstrip('.')}."
    # Within a stream the names begin with a small letter.
    code = code[:1].upper() + code[1:]
    if code in _AGAIN:
        kind = ModelThrottled if code == _THROTTLED else ModelUnavailable
        return kind(f"{text} Try again in a moment.")
    if code in _SIGNING:
        return ModelFailed(f"{text} {CREDENTIALS}")
    if code == "AccessDeniedException":
        return ModelFailed(
            f"{text} The credentials need bedrock:InvokeModelWithResponseStream on the model, and the account access "
            "to it."
        )
    if code in {"ResourceNotFoundException", "ValidationException"}:
        return ModelFailed(
            f"{text} Check NESTOR_CHAT_MODEL and AWS_REGION; for a model without pictures set NESTOR_CHAT_PICTURES=off."
        )
    return ModelFailed(text)
