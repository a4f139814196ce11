"""What the client raises, in the words of Nestor; the one place where that is decided."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import (
    ConnectionError as ConnectionFailed,
)

from nestor.errors import InvalidInput, NestorError, VectorsDenied, VectorsError, VectorsUnavailable

NOT_FOUND = "NotFoundException"
CONFLICT = "ConflictException"

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_DENIED = frozenset({401, 403})
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)


def translated(error: BotoCoreError | ClientError, *, operation: str, endpoint: str) -> NestorError:
    """Return the error of Nestor that tells the user what this one of the client means."""
    if isinstance(error, ClientError):
        return _answered(error, where=f"{operation} at {endpoint}")
    code = type(error).__name__
    if isinstance(error, ParamValidationError):
        return InvalidInput(f"{operation} was not sent: {error}")
    if isinstance(error, _NO_CREDENTIALS):
        return VectorsDenied(f"{operation} at {endpoint} needs AWS credentials: {error}", code=code)
    if isinstance(error, HTTPClientError | ConnectionFailed) and not isinstance(error, SSLError):
        return VectorsUnavailable(f"The vector store at {endpoint} cannot be reached: {error}", code=code)
    return VectorsError(f"{operation} at {endpoint} failed: {error}", code=code)


def _answered(error: ClientError, *, where: str) -> VectorsError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = (error.response.get("Error", {}).get(name, "") for name in ("Code", "Message"))
    text = f"{where} answered {code} ({status}): {message.rstrip('.')}."
    if status in _AGAIN:
        return VectorsUnavailable(f"{text} Try again in a moment.", code=code)
    if status in _DENIED:
        return VectorsDenied(f"{text} Check the credentials and what they allow.", code=code)
    if code == NOT_FOUND:
        return VectorsError(f"{text} If nothing was ingested yet, run `nestor ingest` first.", code=code)
    return VectorsError(text, code=code)
