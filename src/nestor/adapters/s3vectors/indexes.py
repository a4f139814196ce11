"""The bucket and its indexes: made where missing, checked, and bound to the embedder that fills them."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from nestor.adapters.s3vectors.calls import Calls
from nestor.adapters.s3vectors.errors import CONFLICT, NOT_FOUND
from nestor.adapters.s3vectors.limits import NON_FILTERABLE
from nestor.domain import PARTLY
from nestor.errors import EmbedderMismatch, InvalidInput, VectorsError

EMBEDDER_TAG = "nestor:embedder"
MISMATCH = "IndexMismatch"
"""The code of a VectorsError for an index of another shape; ours, the service knows no such error."""

_PAUSES = (0.05, 0.15, 0.4, 1.0)
"""Seconds between attempts while a new index is not yet known everywhere."""
_EMBEDDER = re.compile(r"[\w.:/=+\-@]{1,256}")


def index_name(dimension: int) -> str:
    """Return the name of the index of that size."""
    return f"embeddings-{dimension}d"


def shape_faults(found: Mapping[str, Any], *, dimension: int) -> list[str]:
    """Return in words in what an index, as GetIndex describes it, is not one of Nestor of that size."""
    faults = []
    shape = (found["dataType"], found["dimension"], found["distanceMetric"])
    if shape != ("float32", dimension, "cosine"):
        faults.append(f"holds {shape[1]} {shape[0]} components by {shape[2]} distance")
    declared = found.get("metadataConfiguration", {}).get("nonFilterableMetadataKeys", [])
    if missing := [key for key in NON_FILTERABLE if key not in declared]:
        faults.append(f"does not declare {', '.join(missing)} non-filterable")
    return faults


def patiently(call: Callable[[], Any], *, sleep: Callable[[float], None] = time.sleep) -> Any:
    """Return what the call returns, tried again for 1.6 seconds while it meets NotFoundException."""
    for pause in _PAUSES:
        try:
            return call()
        except VectorsError as error:
            if error.code != NOT_FOUND:
                raise
        sleep(pause)
    return call()


class Indexes:
    """The indexes of one bucket."""

    def __init__(self, calls: Calls, *, bucket: str, sleep: Callable[[float], None]) -> None:
        """Speak through these calls; nothing is sent yet."""
        self._calls = calls
        self._bucket = bucket
        self._sleep = sleep

    def prepare(self, dimension: int, *, embedder: str) -> None:
        """Make the index if there is none, else make sure that it has the right shape and embedder."""
        if not _EMBEDDER.fullmatch(embedder):
            raise InvalidInput(
                f"The embedder id {embedder!r} must be 1 to 256 letters, digits or _ . : / = + - @ signs."
            )
        found = self.find(dimension)
        if found is None:
            if self.create(dimension, embedder=embedder):
                return
            found = patiently(lambda: self.get(dimension), sleep=self._sleep)
        if faults := shape_faults(found, dimension=dimension):
            self._refuse(found, faults[0])
        self._check_embedder(found, embedder=embedder)

    def embedder(self, dimension: int) -> str | None:
        """Return the tag, empty when the index has none; None when there is no index."""
        found = self.find(dimension)
        return None if found is None else self.tag(found["indexArn"])

    def find(self, dimension: int) -> dict[str, Any] | None:
        """Return what GetIndex tells of the index, None when there is none."""
        try:
            return self.get(dimension)
        except VectorsError as error:
            if error.code == NOT_FOUND:
                return None
            raise

    def get(self, dimension: int) -> dict[str, Any]:
        """Return what GetIndex tells of the index. Raises VectorsError when there is none."""
        found: dict[str, Any] = self._calls.get(
            "get_index", "index", vectorBucketName=self._bucket, indexName=index_name(dimension)
        )
        return found

    def create(self, dimension: int, *, embedder: str) -> bool:
        """Make the index, and the bucket where it is missing; return False when another was faster."""
        try:
            return self._create_index(dimension, embedder=embedder)
        except VectorsError as error:
            if error.code != NOT_FOUND:
                raise
        self._attempt("create_vector_bucket", vectorBucketName=self._bucket)
        made: bool = patiently(lambda: self._create_index(dimension, embedder=embedder), sleep=self._sleep)
        return made

    def _create_index(self, dimension: int, *, embedder: str) -> bool:
        return self._attempt(
            "create_index",
            vectorBucketName=self._bucket,
            indexName=index_name(dimension),
            dataType="float32",
            dimension=dimension,
            distanceMetric="cosine",
            metadataConfiguration={"nonFilterableMetadataKeys": list(NON_FILTERABLE)},
            tags={EMBEDDER_TAG: embedder},
        )

    def _attempt(self, operation: str, **params: Any) -> bool:
        try:
            self._calls(operation, **params)
        except VectorsError as error:
            if error.code == CONFLICT:
                return False
            raise
        return True

    def _refuse(self, found: dict[str, Any], reason: str) -> NoReturn:
        raise VectorsError(
            f"The index {found['indexName']!r} in the bucket {self._bucket!r} {reason}, and an index cannot be "
            "changed: delete it and ingest again, or choose another bucket.",
            code=MISMATCH,
        )

    def _check_embedder(self, found: dict[str, Any], *, embedder: str) -> None:
        arn = found["indexArn"]
        filled_by = self.tag(arn)
        where = f"The index {found['indexName']!r} in the bucket {self._bucket!r}"
        if filled_by.startswith(PARTLY) and filled_by != embedder:
            size = found["dimension"]
            raise EmbedderMismatch(
                f"{where} is filled in part: `nestor reindex`, which is at work or was interrupted, has to end first. "
                f"`nestor reindex --add {size}` does the rest, `nestor reindex --drop {size}` removes the index."
            )
        if filled_by and filled_by != embedder:
            raise EmbedderMismatch(
                f"{where} was filled by the embedder {filled_by!r}, and this is {embedder!r}: their embeddings "
                "cannot be compared. Use that embedder, or another bucket."
            )
        if not filled_by and self.holds_vectors(found):
            raise EmbedderMismatch(
                f"{where} holds vectors, and nobody noted which embedder made them; this is {embedder!r}. If it was "
                f"this one, say so with `aws s3vectors tag-resource --resource-arn {arn} "
                f"--tags {EMBEDDER_TAG}={embedder}`; if not, use another bucket."
            )
        if not filled_by:
            self.note(arn, embedder=embedder)

    def note(self, arn: str, *, embedder: str) -> None:
        """Note the id of the embedder at the index."""
        self._calls("tag_resource", resourceArn=arn, tags={EMBEDDER_TAG: embedder})

    def tag(self, arn: str) -> str:
        """Return the id of the embedder that is noted at the index, empty when none is."""
        tags: dict[str, str] = self._calls.get("list_tags_for_resource", "tags", resourceArn=arn)
        return tags.get(EMBEDDER_TAG, "")

    def holds_vectors(self, found: dict[str, Any]) -> bool:
        """Say whether there is a vector in the index."""
        return any(self._calls.pages("list_vectors", "vectors", indexArn=found["indexArn"], maxResults=1))
