"""What the `bedrock-runtime` client raises, in the words of Nestor; the one place where that is decided."""

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import ConnectionError as ConnectionFailed

from nestor.errors import EmbedderThrottled, EmbedderUnavailable, EmbeddingFailed

_THROTTLED = 429
_AGAIN = frozenset({408, 424, _THROTTLED, 500, 502, 503, 504})
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_SIGNING = frozenset(
    {"UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "IncompleteSignature"}
)
_OF_THE_MODEL = re.compile(r"model identifier|inference profile|on-demand throughput|model access", re.IGNORECASE)
_OF_THE_CALL = re.compile(r"malformed|schema violation", re.IGNORECASE)
"""Complaints about what is called and how, not about what is embedded: no other segment would fare better."""
_RAI = re.compile(r"RAI_[A-Z_]+")
_BLOCKED = re.compile(r"RAI_|responsible ai|content (?:filter|polic|moder)|blocked|deflect", re.IGNORECASE)
"""How a refusal by the content checks may be worded: the guide does not say."""

CREDENTIALS = (
    "Amazon Nova needs AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or run `aws configure`; or use --embedder local."
)


class ContentRefused(EmbeddingFailed):
    """The model will not embed this text or medium, however often it is asked. `reason` is the model's word."""

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep the word beside the text."""
        super().__init__(message)
        self.reason = reason


def translated(error: BotoCoreError | ClientError, *, model_id: str) -> EmbeddingFailed:
    """Return the error of Nestor that tells the user what this one of InvokeModel means."""
    if isinstance(error, ClientError):
        return _answered(error, model_id=model_id)
    if isinstance(error, _NO_CREDENTIALS):
        return EmbeddingFailed(f"{CREDENTIALS} ({error})")
    if isinstance(error, HTTPClientError | ConnectionFailed | IncompleteReadError) and not isinstance(error, SSLError):
        return EmbedderUnavailable(f"Amazon Bedrock cannot be reached: {error}")
    return EmbeddingFailed(f"InvokeModel of {model_id} was not sent: {error}")


def _answered(error: ClientError, *, model_id: str) -> EmbeddingFailed:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = (str(error.response.get("Error", {}).get(name, "")) for name in ("Code", "Message"))
    text = f"InvokeModel of {model_id} answered {code} ({status}): {message.rstrip('.')}."
    if status in _AGAIN:
        kind = EmbedderThrottled if status == _THROTTLED else EmbedderUnavailable
        return kind(f"{text} Try again in a moment.")
    if code in _SIGNING:
        return EmbeddingFailed(f"{text} {CREDENTIALS}")
    if status == 403:
        return EmbeddingFailed(
            f"{text} The credentials need bedrock:InvokeModel on "
            f"arn:aws:bedrock:<region>::foundation-model/{model_id}, and the account access to the model."
        )
    if status == 404 or _OF_THE_MODEL.search(message):
        return EmbeddingFailed(f"{text} Check NESTOR_MODEL_ID, and that AWS_REGION has the model (us-east-1 does).")
    if code == "ValidationException" and not _OF_THE_CALL.search(message):
        return _refused(text, message)
    return EmbeddingFailed(text)


def _refused(text: str, message: str) -> ContentRefused:
    if _BLOCKED.search(message):
        word = _RAI.search(message)
        reason = word[0] if word else "RAI_VIOLATION"
        return ContentRefused(f"{text} The model's content checks will not let it pass.", reason=reason)
    return ContentRefused(
        f"{text} Check that it can be played or seen, and convert it to another format.", reason="INVALID_CONTENT"
    )
