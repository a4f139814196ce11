"""Everything Nestor raises on purpose.

NestorError
├── InvalidInput            the caller's argument or file name is wrong; says how to mend it
│   └── InvalidEmbedding    zero, not finite, or of the wrong length
├── UnreadableFile          one file cannot be read; the rest go on
├── MissingExtra            an optional part is not installed; says the command that installs it
├── EmbedderMismatch        the indexes were filled by another embedder
├── EmbeddingFailed         the embedder refused or failed
│   ├── EmbedderUnavailable     for the moment not there: try again
│   │   └── EmbedderThrottled       asked too much: try again later
│   └── SegmentsRefused         some segments cannot be embedded; carries the embeddings of the others
├── ModelFailed             the chat model refused or failed
│   └── ModelUnavailable        for the moment not there: try again
│       └── ModelThrottled          asked too much: try again later
├── ObjectsError            the object store answered with an error
│   └── ObjectMissing           there is no such object
├── VectorsError            the vector store answered with an error
│   ├── VectorsUnavailable      throttled, or for the moment not there: try again
│   └── VectorsDenied           the credentials do not allow it
├── QuestionsUnavailable    embeddings of questions cannot be looked up or kept: nothing is lost but time
└── HomeUnusable            the home cannot be read or written: no permission, no space
    └── HomeBusy                another process is writing to it
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class NestorError(Exception):
    """Base of all; its text is written for the user: what, where, how to mend it."""

    retryable = False


class InvalidInput(NestorError):
    """The caller's argument is wrong."""


class InvalidEmbedding(InvalidInput):
    """An embedding that is zero, not finite, or of the wrong length."""


class UnreadableFile(NestorError):
    """One file cannot be read. `reason` is a short word for tables, the text tells the whole.

    Reasons: missing, denied, empty, unsupported, truncated, broken, encrypted, mislabelled, oversized, timeout,
    crashed, refused (by the embedder, all of it).
    """

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep the short reason beside the text."""
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a reader process."""
        return (_unreadable_file, (str(self), self.reason))


def _unreadable_file(message: str, reason: str) -> UnreadableFile:
    return UnreadableFile(message, reason=reason)


class MissingExtra(NestorError):
    """An optional part is needed and not installed."""


class EmbedderMismatch(NestorError):
    """The indexes hold embeddings of another embedder; mixing them would make every distance meaningless."""


class EmbeddingFailed(NestorError):
    """The embedder refused or failed."""


class EmbedderUnavailable(EmbeddingFailed):
    """The embedder is for the moment not there, or throttled the call."""

    retryable = True


class EmbedderThrottled(EmbedderUnavailable):
    """The embedder is asked too much."""


class SegmentsRefused(EmbeddingFailed):
    """Some segments cannot be embedded, whatever is tried: content that is blocked or cannot be read.

    `reasons` tells by position in the batch why; `embeddings`, shape (n, 3072), holds the others, and zeros where
    there is a reason.
    """

    def __init__(self, message: str, *, reasons: Mapping[int, str], embeddings: "NDArray[np.float32]") -> None:
        """Keep what could be embedded beside the text."""
        super().__init__(message)
        self.reasons = dict(reasons)
        self.embeddings = embeddings


class ModelFailed(NestorError):
    """The chat model refused or failed."""


class ModelUnavailable(ModelFailed):
    """The chat model is for the moment not there, or throttled the call."""

    retryable = True


class ModelThrottled(ModelUnavailable):
    """The chat model is asked too much."""


class ObjectsError(NestorError):
    """The object store answered with an error. `code` is the service's own, such as AccessDenied."""

    def __init__(self, message: str, *, code: str, retryable: bool = False) -> None:
        """Keep the service's code beside the text."""
        super().__init__(message)
        self.code = code
        self.retryable = retryable


class ObjectMissing(ObjectsError):
    """There is no such object."""


class VectorsError(NestorError):
    """The vector store answered with an error. `code` is the service's own, such as ValidationException."""

    def __init__(self, message: str, *, code: str) -> None:
        """Keep the service's code beside the text."""
        super().__init__(message)
        self.code = code


class VectorsUnavailable(VectorsError):
    """The vector store throttled the call or is for the moment not there."""

    retryable = True


class VectorsDenied(VectorsError):
    """The credentials do not allow the call."""


class QuestionsUnavailable(NestorError):
    """Where embeddings of questions are kept does not answer, or refuses."""


class HomeUnusable(NestorError):
    """The home cannot be read or written: no permission, no space, a damaged file."""


class HomeBusy(HomeUnusable):
    """Another process is writing to this home."""

    retryable = True
