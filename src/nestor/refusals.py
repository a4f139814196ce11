"""How an error is told to whoever asked: the same from a function and from the page."""

from nestor.errors import (
    EmbedderThrottled,
    EmbeddingFailed,
    InvalidInput,
    ModelFailed,
    ModelThrottled,
    NestorError,
    VectorsError,
)

_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "SlowDown"})
_BAD_REQUEST = frozenset({"ValidationException"})
_FAILED = ((EmbeddingFailed, "EmbedderFailed"), (ModelFailed, "ModelFailed"), (VectorsError, "VectorsFailed"))


class Refused(Exception):
    """The request cannot be answered: an HTTP status, a word for programs, words for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep the three."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def refusal(error: Exception) -> Refused:
    """Return how an error is told to the caller; what is no error of Nestor is told without any detail."""
    if isinstance(error, Refused):
        return error
    if not isinstance(error, NestorError):
        return Refused(500, "InternalError", "Something went wrong; the log tells more.")
    code = getattr(error, "code", "")
    if isinstance(error, InvalidInput) or code in _BAD_REQUEST:
        return Refused(400, "InvalidInput", str(error))
    if isinstance(error, ModelThrottled):
        return Refused(429, "Throttled", "The chat model is asked too much. Try again in a moment.")
    if isinstance(error, EmbedderThrottled) or code in _THROTTLED:
        return Refused(429, "Throttled", "Too much is asked at once. Try again in a moment.")
    failed = next((name for kind, name in _FAILED if isinstance(error, kind)), "NotSetUp")
    what = "The chat model" if failed == "ModelFailed" else "What this service asks"
    told = "is not there for the moment. Try again soon." if error.retryable else "failed; the log tells more."
    return Refused(502, failed, f"{what} {told}")
