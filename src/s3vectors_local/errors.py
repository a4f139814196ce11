"""Everything the engine raises on purpose.

EngineError
├── ServiceError                    an answer of the API: `code`, `status`, message
│   ├── ValidationException             400, with `fields`
│   │   ├── ConstraintsViolated             members outside the model's bounds, counted
│   │   ├── InvalidRecord                   one vector of a PutVectors
│   │   ├── InvalidFilter                   a filter document that breaks the grammar
│   │   └── InvalidQueryVector
│   ├── SerializationException          400: not JSON, or a member of the wrong type
│   ├── UnsupportedMediaTypeException   415: the body is compressed
│   ├── AccessDeniedException           403: a write to a read-only engine, or what no policy allows
│   ├── MissingAuthenticationTokenException, IncompleteSignatureException, InvalidSignatureException,
│   │   UnrecognizedClientException     403: who asks is not known
│   ├── NotFoundException               404
│   │   ├── BucketNotFound, IndexNotFound, PolicyNotFound, ResourceNotFound
│   ├── UnknownOperationException       404: no such operation, or not yet
│   ├── ConflictException               409
│   │   ├── BucketExists, IndexExists, TextKeyExists, BucketNotEmpty
│   ├── ServiceQuotaExceededException   402
│   ├── RequestTimeoutException         408: the request did not arrive in time
│   ├── TooManyRequestsException        429: more at once than the server takes
│   ├── InternalServerException         500
│   └── ServiceUnavailableException     503: busy, try again
└── StoreError                      the data folder cannot be used; the text says why
    ├── StoreMissing                    opened for reading, and there is nothing
    ├── StoreLocked                     another process writes to it; `pid` names it
    ├── StoreTooOld                     of an older release, and opened for reading only
    ├── StoreTooNew                     written by a newer release
    └── StoreFailed                     a read or write failed: close, reopen
"""

from collections.abc import Sequence
from dataclasses import dataclass


class EngineError(Exception):
    """Base of all."""


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a ValidationException's fieldList."""

    path: str
    message: str


class ServiceError(EngineError):
    """An error that the API answers with. `code` is the service's name for it, `status` the HTTP status."""

    status = 400
    code = "ServiceError"
    text = ""

    def __init__(self, message: str = "") -> None:
        """Take the class's own sentence where none is given."""
        super().__init__(message or self.text)


class ValidationException(ServiceError):
    """The request breaks a rule. `fields` may say where."""

    code = "ValidationException"

    def __init__(self, message: str, *, fields: Sequence[Field] = ()) -> None:
        """Keep the fields beside the sentence."""
        super().__init__(message)
        self.fields = tuple(fields)


class ConstraintsViolated(ValidationException):
    """Members outside the bounds of the service model, all of them counted in one sentence.

    A field is a path such as /topK and the whole phrase about it, `Value at '/topK' failed to satisfy ...`.
    """

    def __init__(self, violations: Sequence[Field]) -> None:
        """Join the phrases as the service does."""
        count = len(violations)
        noun = "validation error" if count == 1 else "validation errors"
        phrases = "; ".join(violation.message for violation in violations)
        super().__init__(f"{count} {noun} detected. {phrases}", fields=violations)


class InvalidRecord(ValidationException):
    """One vector of a PutVectors is not acceptable; so nothing of the request is stored."""

    def __init__(self, reason: str, *, key: str, path: str) -> None:
        """Name the key in the sentence, and the place in the request as a field."""
        super().__init__(f"Invalid record for key '{key}': {reason}", fields=[Field(path, reason)])


class InvalidFilter(ValidationException):
    """The filter breaks the grammar. The service says no more than that; `reason` says what is wrong."""

    def __init__(self, reason: str, *, message: str = "Invalid filter") -> None:
        """Keep the reason beside the service's bare sentence and field."""
        super().__init__(message, fields=[Field("filter", message)])
        self.reason = reason


class InvalidQueryVector(ValidationException):
    """The query vector is zero on a cosine index, not finite, or of the wrong length."""

    def __init__(self, reason: str) -> None:
        """Put the reason into the field, as the service does."""
        message = "Query vector contains invalid values or is invalid for this index"
        super().__init__(message, fields=[Field("vector", f"Invalid input: {reason}")])


class SerializationException(ServiceError):
    """The body is not JSON, holds a lone surrogate, or has a member of the wrong type."""

    code = "SerializationException"


class UnsupportedMediaTypeException(ServiceError):
    """The body comes in an encoding that is not read here."""

    code = "UnsupportedMediaTypeException"
    status = 415


class AccessDeniedException(ServiceError):
    """The engine was opened read-only, or the policies do not allow it."""

    code = "AccessDeniedException"
    status = 403
    text = "This engine is open for reading only"


class NotFoundException(ServiceError):
    """What the request names is not there."""

    code = "NotFoundException"
    status = 404


class BucketNotFound(NotFoundException):
    """No such vector bucket."""

    text = "The specified vector bucket could not be found"


class IndexNotFound(NotFoundException):
    """No such index, or no such bucket above it."""

    text = "The specified index could not be found"


class PolicyNotFound(NotFoundException):
    """The bucket has no policy."""

    text = "The specified vector bucket policy could not be found"


class ResourceNotFound(NotFoundException):
    """No resource has this ARN."""

    text = "The specified resource could not be found"


class UnknownOperationException(ServiceError):
    """No such operation, or one that this engine does not have yet."""

    code = "UnknownOperationException"
    status = 404


class ConflictException(ServiceError):
    """The request does not fit what is there."""

    code = "ConflictException"
    status = 409


class BucketExists(ConflictException):
    """The name is taken."""

    text = "A vector bucket with the specified name already exists"


class IndexExists(ConflictException):
    """The name is taken."""

    text = "An index with the specified name already exists"


class TextKeyExists(ConflictException):
    """The metadata key is text-searchable already."""

    text = "A text search configuration for the specified metadata key already exists"


class BucketNotEmpty(ConflictException):
    """The bucket still has indexes."""

    text = "The specified vector bucket is not empty"


class ServiceQuotaExceededException(ServiceError):
    """A count that the service caps is reached."""

    code = "ServiceQuotaExceededException"
    status = 402


class InternalServerException(ServiceError):
    """Something failed inside; the cause is in the log."""

    code = "InternalServerException"
    status = 500
    text = "An internal error occurred"


class ServiceUnavailableException(ServiceError):
    """The data is locked for the moment; try again."""

    code = "ServiceUnavailableException"
    status = 503
    text = "Service is busy, please try again"


class StoreError(EngineError):
    """The data folder cannot be used."""


class StoreMissing(StoreError):
    """Opened for reading only, and there is nothing to read."""


class StoreLocked(StoreError):
    """Another process writes to the folder."""

    def __init__(self, message: str, *, pid: int | None) -> None:
        """Keep the writer's process id; it is None where it could not be read."""
        super().__init__(message)
        self.pid = pid


class StoreTooNew(StoreError):
    """The folder was written by a newer release; this one must not touch it."""


class StoreTooOld(StoreError):
    """Opened for reading only, and the folder was written by an older release: a writer converts it."""


class StoreFailed(StoreError):
    """Reading or writing failed. The store answers nothing more: close it and open it again."""


class MissingAuthenticationTokenException(ServiceError):
    """The request carries no signature."""

    code = "MissingAuthenticationTokenException"
    status = 403
    text = "Missing Authentication Token"


class IncompleteSignatureException(ServiceError):
    """A part of the signature is missing or malformed."""

    code = "IncompleteSignatureException"
    status = 403


class InvalidSignatureException(ServiceError):
    """The signature is not that of this request, in this region, at this time."""

    code = "InvalidSignatureException"
    status = 403
    text = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."
    )


class UnrecognizedClientException(ServiceError):
    """Nobody has this access key, or its session token is another one."""

    code = "UnrecognizedClientException"
    status = 403
    text = "The security token included in the request is invalid."


class RequestTimeoutException(ServiceError):
    """The request did not arrive in time."""

    code = "RequestTimeoutException"
    status = 408
    text = "The request did not arrive in time"


class TooManyRequestsException(ServiceError):
    """More requests at once than the server takes; try again."""

    code = "TooManyRequestsException"
    status = 429
    text = "Too many requests, please try again"
