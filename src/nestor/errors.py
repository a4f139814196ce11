"""Everything Nestor raises on purpose.

NestorError
├── InvalidInput            the caller's argument or file name is wrong; says how to mend it
│   └── InvalidEmbedding    zero, not finite, or of the wrong length
├── UnreadableFile          one file cannot be read; the rest go on
├── MissingExtra            an optional part is not installed; says the command that installs it
├── EmbedderMismatch        the indexes were filled by another embedder
├── EmbeddingFailed         the embedder refused or failed
├── VectorsError            the vector store answered with an error
│   ├── VectorsUnavailable      throttled, or for the moment not there: try again
│   └── VectorsDenied           the credentials do not allow it
└── HomeUnusable            the home cannot be read or written: no permission, no space
    └── HomeBusy                another process is writing to it
"""


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
    crashed.
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


class HomeUnusable(NestorError):
    """The home cannot be read or written: no permission, no space, a damaged file."""


class HomeBusy(HomeUnusable):
    """Another process is writing to this home."""

    retryable = True
