"""One call to the `s3vectors` client: errors translated, pages followed, nothing taken for an empty answer."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from nestor.adapters.s3vectors.errors import translated
from nestor.errors import VectorsError


class Calls:
    """The operations of one client. Raises only errors of Nestor for what the service or the way to it did."""

    def __init__(self, client: Any) -> None:
        """Speak through this client."""
        self._client = client
        endpoint: str = client.meta.endpoint_url
        # `.invalid` never resolves (RFC 2606): such a client is answered in this process.
        self.endpoint = "the embedded engine" if endpoint.endswith(".invalid") else endpoint

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        """Return the answer of the operation, named as the client names it."""
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**params)
        except (BotoCoreError, ClientError) as error:
            raise translated(error, operation=operation, endpoint=self.endpoint) from error
        return answer

    def get(self, operation: str, member: str, **params: Any) -> Any:
        """Return one member of the answer. Raises VectorsError when it is not there: that is no S3 Vectors service."""
        return self._member(self(operation, **params), member, operation=operation)

    def pages(self, operation: str, member: str, **params: Any) -> Iterator[list[Any]]:
        """Yield that member page by page to the end. Raises VectorsError when the service repeats a token."""
        token = None
        while True:
            answer = self(operation, **params)
            yield self._member(answer, member, operation=operation)
            last, token = token, answer.get("nextToken")
            if not token:
                return
            if token == last:
                raise VectorsError(f"{operation} at {self.endpoint} repeats a page.", code="RepeatedToken")
            params["nextToken"] = token

    def _member(self, answer: dict[str, Any], member: str, *, operation: str) -> Any:
        if member not in answer:
            raise VectorsError(
                f"{operation} at {self.endpoint} answered without {member!r}: is it an S3 Vectors endpoint?",
                code="InvalidResponse",
            )
        return answer[member]
