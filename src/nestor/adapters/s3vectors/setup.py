"""The bucket and its indexes on any endpoint, made where missing; what is there is looked at and never replaced."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from nestor.adapters.s3vectors.calls import Calls
from nestor.adapters.s3vectors.errors import CONFLICT, NOT_FOUND
from nestor.adapters.s3vectors.indexes import EMBEDDER_TAG, Indexes, index_name, patiently, shape_faults
from nestor.domain import DIMENSIONS, FULL_DIMENSION
from nestor.errors import VectorsError

TEXT_KEY: Final = "text"
"""The metadata that full-text search reads."""

_UNKNOWN: Final = frozenset(
    {"UnknownOperationException", "UnknownOperation", "NotImplemented", "MethodNotAllowed", "404", "405", "501"}
)
"""Codes by which endpoints that follow an older S3 Vectors say that they do not know an operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The bucket or one index, after it was set up."""

    name: str
    made: bool = False
    absent: bool = False
    """Whether it is missing and was left so."""
    changed: tuple[str, ...] = ()
    """What was added to it, in words."""
    differs: tuple[str, ...] = ()
    """In what it is not as Nestor needs it; nothing was done about that."""
    notes: tuple[str, ...] = ()
    """What the endpoint cannot do, or why it is absent; Nestor works without it."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What was found and made."""

    bucket: str
    embedder: str
    parts: tuple[Part, ...]

    @property
    def differs(self) -> bool:
        """Whether something is there that is not as Nestor needs it."""
        return any(part.differs for part in self.parts)


def set_up(
    client: Any,
    *,
    bucket: str,
    embedder: str,
    dimensions: Iterable[int] = DIMENSIONS,
    sleep: Callable[[float], None] = time.sleep,
) -> SetUp:
    """Make the bucket and an index of each size where missing, bound to the embedder, their text searchable.

    Doing it again changes nothing, and nothing is ever deleted or replaced. A smaller index that is missing beside a
    filled one of 3072 was dropped, and is left so: an empty one would find nothing. Raises VectorsError.
    """
    calls = Calls(client)
    indexes = Indexes(calls, bucket=bucket, sleep=sleep)
    parts = [_bucket(calls, bucket)]
    parts += [_index(calls, indexes, dimension, embedder=embedder, sleep=sleep) for dimension in dimensions]
    return SetUp(bucket, embedder, tuple(parts))


def _bucket(calls: Calls, bucket: str) -> Part:
    try:
        calls("get_vector_bucket", vectorBucketName=bucket)
    except VectorsError as error:
        if error.code != NOT_FOUND:
            raise
    else:
        return Part(name=bucket)
    try:
        calls("create_vector_bucket", vectorBucketName=bucket)
    except VectorsError as error:
        if error.code != CONFLICT:  # another was faster
            raise
        return Part(name=bucket)
    return Part(name=bucket, made=True)


def _index(calls: Calls, indexes: Indexes, dimension: int, *, embedder: str, sleep: Callable[[float], None]) -> Part:
    missing = indexes.find(dimension) is None
    if missing and dimension != FULL_DIMENSION and _holds_vectors(indexes, FULL_DIMENSION):
        why = f"was dropped, and is left so: `nestor reindex --add {dimension}` makes and fills it"
        return Part(name=index_name(dimension), absent=True, notes=(why,))
    made = missing and indexes.create(dimension, embedder=embedder)
    found = patiently(lambda: indexes.get(dimension), sleep=sleep)
    faults = shape_faults(found, dimension=dimension)
    fault, tagged = _embedder(calls, indexes, found, embedder=embedder)
    searchable, note = ("", "") if faults else _text_search(calls, found)
    return Part(
        name=index_name(dimension),
        made=made,
        changed=tuple(filter(None, () if made else (tagged, searchable))),
        differs=tuple(filter(None, (*faults, fault))),
        notes=tuple(filter(None, (note,))),
    )


def _holds_vectors(indexes: Indexes, dimension: int) -> bool:
    found = indexes.find(dimension)
    return found is not None and indexes.holds_vectors(found)


def _embedder(calls: Calls, indexes: Indexes, found: dict[str, Any], *, embedder: str) -> tuple[str, str]:
    """Note the embedder at an index that is empty and has none; return what differs, or what was done."""
    arn = found["indexArn"]
    noted = indexes.tag(arn)
    if noted == embedder:
        return "", ""
    if noted:
        return f"is for the embedder {noted}, and this is {embedder}", ""
    if indexes.holds_vectors(found):
        return f"holds vectors of an embedder that nobody noted, and this is {embedder}", ""
    calls("tag_resource", resourceArn=arn, tags={EMBEDDER_TAG: embedder})
    return "", f"noted the embedder {embedder}"


def _text_search(calls: Calls, found: dict[str, Any]) -> tuple[str, str]:
    """Make the text searchable; return what was done, or why the endpoint cannot."""
    configured = found.get("metadataConfiguration", {}).get("textSearchConfigurations", [])
    if any(each.get("metadataKey") == TEXT_KEY for each in configured):
        return "", ""
    if found.get("indexMode") == "CLASSIC":
        return "", "has no text search, being in CLASSIC mode: `aws s3vectors update-index-mode` converts it for good"
    try:
        calls(
            "update_metadata_configuration",
            indexArn=found["indexArn"],
            add={"textSearchConfigurations": [{"metadataKey": TEXT_KEY}]},
        )
    except VectorsError as error:
        if error.code in _UNKNOWN:
            return "", "has no text search: this endpoint does not know it"
        raise
    return "made its text searchable", ""
