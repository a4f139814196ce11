"""An index as lines of JSON, out and in: to copy it, to keep it, or to take it to another release or another engine.

The first line says what it is, and has the members of a CreateIndex request; then comes a line for each vector, an
entry of a PutVectors request; the last line has their count, so that a file that was cut is known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Self

import orjson

from s3vectors_local import limits
from s3vectors_local.engine import Engine
from s3vectors_local.errors import (
    BucketNotFound,
    EngineError,
    IndexNotFound,
    SerializationException,
    ValidationException,
)
from s3vectors_local.model import StoredVector
from s3vectors_local.operations import documents, indexes, vectors
from s3vectors_local.operations.shapes import Members

FORMAT: Final = "s3vectors-local export"
VERSION: Final = 1
_BATCH: Final = limits.PUT_VECTORS[1]
_CREATED: Final = (
    "vectorBucketName",
    "indexName",
    "dataType",
    "dimension",
    "distanceMetric",
    "metadataConfiguration",
    "encryptionConfiguration",
)
_NON_FILTERABLE: Final = "nonFilterableMetadataKeys"
_LINE_BYTES: Final = limits.BODY_BYTES
_NOT_ONE: Final = "A line must be one vector"
_COUNT_BYTES: Final = 64  # the last line is no longer

Line = tuple[int, bytes]
"""A line with its number, from 1."""


class TransferFault(EngineError):
    """The lines cannot be imported; the text says which one and why."""


def export_index(engine: Engine, bucket: str, index: str, stream: IO[bytes]) -> int:
    """Write an index, and return the number of its vectors, which come in the order of their first write.

    Beside a writer, each page of about 1 MB shows one state. Raises IndexNotFound, OSError of the stream.
    """
    stream.write(_line({"format": FORMAT, "version": VERSION, "index": _configuration(engine, bucket, index)}))
    count = 0
    for vector in _vectors(engine, bucket, index):
        stream.write(_line(_entry(vector)))
        count += 1
    stream.write(_line({"count": count}))
    return count


def import_index(engine: Engine, stream: IO[bytes], bucket: str | None = None, index: str | None = None) -> int:
    """Put the vectors that `export_index` wrote, under its names or others, and return their number.

    Bucket and index are made where they are missing; an index that is there must have the same dimension, metric and
    non-filterable keys. Vectors are stored as they come: after an error those before its line are there, and importing
    the file again is safe. Raises TransferFault for what is in the file, and what CreateIndex and PutVectors raise.
    """
    lines = _lines(stream)
    target = _Target.of(engine, _header(lines), bucket, index)
    count = 0
    batch: list[Line] = []
    for number, line in lines:
        stated = _count(line)
        if stated is not None:
            target.put(batch)
            _check_end(lines, number, stated=stated, count=count)
            return count
        batch.append((number, line))
        count += 1
        if len(batch) == _BATCH:
            target.put(batch)
            batch = []
    target.put(batch)
    raise TransferFault(f"the file was cut: it ends after {count} vectors, without their count")


@dataclass(frozen=True, slots=True)
class _Target:
    engine: Engine
    names: dict[str, str]

    @classmethod
    def of(cls, engine: Engine, created: dict[str, Any], bucket: str | None, index: str | None) -> Self:
        """Make the index, or look whether the one that is there takes the vectors."""
        given = {"vectorBucketName": bucket, "indexName": index}
        created = created | {name: value for name, value in given.items() if value is not None}
        try:
            _make(engine, created)
        except (ValidationException, SerializationException) as error:
            raise TransferFault(f"line 1: {error}") from error
        return cls(engine, {name: created[name] for name in given})

    def put(self, lines: Sequence[Line]) -> None:
        """Put one batch."""
        if not lines:
            return
        try:
            self._put(lines)
        except _FAULTS as error:
            if len(lines) == 1:
                raise _fault(*lines[0], error) from error
            for line in lines:  # up to the one at fault
                self.put([line])

    def _put(self, lines: Sequence[Line]) -> None:
        content = documents.read(b'{"vectors":[' + b",".join(line for _, line in lines) + b"]}")
        if not isinstance(content["vectors"], list) or len(content["vectors"]) != len(lines):
            raise SerializationException(_NOT_ONE)
        vectors.put_vectors(self.engine, Members(content | self.names))


_FAULTS: Final = (ValidationException, SerializationException, orjson.JSONDecodeError)


def _configuration(engine: Engine, bucket: str, index: str) -> dict[str, Any]:
    """Return the members of a CreateIndex request that makes such an index."""
    found = indexes.get_index(engine, Members({"vectorBucketName": bucket, "indexName": index}))["index"]
    created = {name: found[name] for name in _CREATED if name in found}
    for text in created.get("metadataConfiguration", {}).get("textSearchConfigurations", ()):
        text.pop("status")
    tags = engine.get_tags(engine.owner.index_arn(bucket, index))
    return created | ({"tags": tags} if tags else {})


def _make(engine: Engine, created: dict[str, Any]) -> None:
    members = Members(created)
    bucket, index = (members.needed_text(name, length=limits.NAME_LENGTH) for name in ("vectorBucketName", "indexName"))
    members.check()
    try:
        there = indexes.get_index(engine, Members({"vectorBucketName": bucket, "indexName": index}))["index"]
    except IndexNotFound:
        _create(engine, created, bucket)
        return
    names = ("dimension", "distance metric", "non-filterable keys")
    for what, before, now in zip(names, _shape(there), _shape(created), strict=True):
        if before != now:
            raise TransferFault(f"the index {bucket}/{index} exists with {what} {before}, not {now}")


def _create(engine: Engine, created: dict[str, Any], bucket: str) -> None:
    try:
        indexes.create_index(engine, Members(created))
    except BucketNotFound:  # so all else is as it should be
        engine.create_bucket(bucket)
        indexes.create_index(engine, Members(created))


def _shape(index: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return what must be equal for the vectors of one index to fit into another."""
    keys = (index.get("metadataConfiguration") or {}).get(_NON_FILTERABLE) or ()
    return index.get("dimension"), str(index.get("distanceMetric")), sorted(keys)


def _vectors(engine: Engine, bucket: str, index: str) -> Iterator[StoredVector]:
    token = None
    while True:
        page = engine.list_vectors(bucket, index, limit=limits.LIST_VECTORS[1], token=token, data=True, metadata=True)
        yield from page.items
        token = page.next_token
        if token is None:
            return


def _entry(vector: StoredVector) -> dict[str, Any]:
    entry: dict[str, Any] = {"key": vector.key, "data": {"float32": vector.data}}
    if vector.metadata not in (None, b"{}"):
        entry["metadata"] = orjson.Fragment(vector.metadata)
    return entry


def _fault(number: int, line: bytes, error: Exception) -> TransferFault:
    if isinstance(error, orjson.JSONDecodeError):
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError as own:
            return TransferFault(f"line {number} is not JSON: {own.msg} at character {own.pos + 1}")
        return TransferFault(f"line {number}: {_NOT_ONE}")
    return TransferFault(f"line {number}: {error}")


def _line(content: Any) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


def _lines(stream: IO[bytes]) -> Iterator[Line]:
    number = 0
    while line := stream.readline(_LINE_BYTES + 1):
        number += 1
        if len(line) > _LINE_BYTES:
            raise TransferFault(f"line {number} is longer than {_LINE_BYTES} bytes")
        yield number, line.strip()


def _header(lines: Iterator[Line]) -> dict[str, Any]:
    """Return the members of a CreateIndex request."""
    header = _object(next(lines, (1, b""))[1])
    if header.get("format") != FORMAT:
        raise TransferFault("line 1: this is not an index that s3vectors-local has exported")
    if header.get("version") != VERSION:
        raise TransferFault(f"line 1: version {header.get('version')} is of another release, this one reads {VERSION}")
    created = header.get("index")
    if not isinstance(created, dict):
        raise TransferFault("line 1: it does not say which index")
    return created


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _count(line: bytes) -> int | None:
    """Return what the last line says, None for any other."""
    content = _object(line) if len(line) <= _COUNT_BYTES else {}
    return content["count"] if content.keys() == {"count"} and isinstance(content["count"], int) else None


def _check_end(lines: Iterator[Line], number: int, *, stated: int, count: int) -> None:
    if stated != count:
        raise TransferFault(f"line {number}: it counts {stated} vectors, but {count} lie before it")
    if next(lines, None) is not None:
        raise TransferFault(f"line {number + 1}: nothing may follow the count")
