"""An index as lines of JSON, out and in: to copy it, to keep it, or to take it to another release or another engine.

The first line says what it is, and has the members of a CreateIndex request; then comes a line for each vector, an
entry of a PutVectors request; the last line has their count, so that a file that was cut is known.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, cast

import orjson

from s3vectors_local import checks, limits
from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import (
    BucketNotFound,
    EngineError,
    IndexNotFound,
    SerializationException,
    StoreFailed,
    ValidationException,
)
from s3vectors_local.model import Float32, Index, NewVector, StoredVector
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
_TEXTS: Final = "textSearchConfigurations"
_LINE_BYTES: Final = limits.BODY_BYTES
_NOT_ONE: Final = "A line must be one vector"
_COUNT_BYTES: Final = 64  # the last line is no longer

Line = tuple[int, bytes]
"""A line with its number, from 1."""


class TransferFault(EngineError):
    """The lines cannot be imported; the text says which one and why."""


def export_index(engine: Engine, bucket: str, index: str, stream: IO[bytes]) -> int:
    """Write an index, and return the number of its vectors, which come in the order of their first write.

    Beside a writer, each page of about 1 MB shows one state. Raises IndexNotFound, OSError of the stream, and
    StoreFailed for a damaged vector, which no import would take.
    """
    stream.write(_line({"format": FORMAT, "version": VERSION, "index": _configuration(engine, bucket, index)}))
    source = engine.get_index(bucket, index)
    count = 0
    for vector in _vectors(engine, bucket, index):
        _check_sound(source, vector)
        stream.write(_line(_entry(vector)))
        count += 1
    stream.write(_line({"count": count}))
    return count


def import_index(engine: Engine, stream: IO[bytes], bucket: str | None = None, index: str | None = None) -> int:
    """Put the vectors that `export_index` wrote, under its names or others, and return their number.

    Bucket and index are made where they are missing; an index that is there must have the same dimension, metric,
    non-filterable keys and text-search keys. Vectors are stored as they come: after an error those before its line are
    there, and importing the file again is safe. Raises TransferFault for what is in the file, and what CreateIndex and
    PutVectors raise.
    """
    return Source(stream).put(engine, bucket, index)


class Source:
    """An export that is read: the first line when this is made, the others by `put`."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Read which index it is. Raises TransferFault for a file that is no export, or of an index that cannot be."""
        self._lines = _lines(stream)
        self._created = _header(self._lines)
        self.stored = 0
        """Vectors that `put` has stored so far."""

    def put(self, engine: Engine, bucket: str | None = None, index: str | None = None) -> int:
        """Store all that follows, once; as `import_index`."""
        given = {"vectorBucketName": bucket, "indexName": index}
        created = self._created | {name: value for name, value in given.items() if value is not None}
        _make(engine, created)
        names = {name: created[name] for name in given}
        count = 0
        batch: list[Line] = []
        for number, line in self._lines:
            stated = _count(line)
            if stated is not None:
                self._put(engine, names, batch)
                _check_end(self._lines, number, stated=stated, count=count)
                return count
            batch.append((number, line))
            count += 1
            if len(batch) == _BATCH:
                self._put(engine, names, batch)
                batch = []
        self._put(engine, names, batch)
        raise TransferFault(f"the file was cut: it ends after {count} vectors, without their count")

    def _put(self, engine: Engine, names: dict[str, str], lines: Sequence[Line]) -> None:
        if not lines:
            return
        try:
            _put(engine, names, [line for _, line in lines])
        except _FAULTS as error:
            if len(lines) == 1:
                raise _fault(*lines[0], error) from error
            for line in lines:  # up to the one at fault
                self._put(engine, names, [line])
        else:
            self.stored += len(lines)


_FAULTS: Final = (ValidationException, SerializationException, orjson.JSONDecodeError)


def _put(engine: Engine, names: dict[str, str], lines: Sequence[bytes]) -> None:
    content = documents.read(b'{"vectors":[' + b",".join(lines) + b"]}")
    if not isinstance(content["vectors"], list) or len(content["vectors"]) != len(lines):
        raise SerializationException(_NOT_ONE)
    vectors.put_vectors(engine, Members(content | names))


def _configuration(engine: Engine, bucket: str, index: str) -> dict[str, Any]:
    """Return the members of a CreateIndex request that makes such an index."""
    found = indexes.get_index(engine, Members({"vectorBucketName": bucket, "indexName": index}))["index"]
    created = {name: found[name] for name in _CREATED if name in found}
    for text in created.get("metadataConfiguration", {}).get(_TEXTS, ()):
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
    names = ("dimension", "distance metric", "non-filterable keys", "text-search keys")
    for what, before, now in zip(names, _shape(there), _shape(created), strict=True):
        if before != now:
            raise TransferFault(f"the index {bucket}/{index} exists with {what} {before}, not {now} as in the file")


def _create(engine: Engine, created: dict[str, Any], bucket: str) -> None:
    try:
        indexes.create_index(engine, Members(created))
    except BucketNotFound:  # so all else is as it should be
        engine.create_bucket(bucket)
        indexes.create_index(engine, Members(created))


def _shape(index: dict[str, Any]) -> tuple[Any, ...]:
    """Return what must be equal for the vectors of one index to fit into another."""
    configuration = index.get("metadataConfiguration") or {}
    texts = sorted(map(_text_key, configuration.get(_TEXTS) or ()))
    return (
        index["dimension"],
        str(index["distanceMetric"]),
        sorted(set(configuration.get(_NON_FILTERABLE) or ())),
        texts,
    )


def _text_key(text: dict[str, Any]) -> str:
    key, language = text["metadataKey"], text.get("language")
    return f"{key} ({language})" if language else str(key)


def _vectors(engine: Engine, bucket: str, index: str) -> Iterator[StoredVector]:
    token = None
    while True:
        page = engine.list_vectors(bucket, index, limit=limits.LIST_VECTORS[1], token=token, data=True, metadata=True)
        yield from page.items
        token = page.next_token
        if token is None:
            return


def _check_sound(index: Index, vector: StoredVector) -> None:
    """Raise StoreFailed for what could not have been put."""
    text = vector.metadata or b"{}"
    try:
        metadata = orjson.loads(text)
        checks.check_vectors(index, [NewVector(vector.key, cast(Float32, vector.data), metadata)])
    except (orjson.JSONDecodeError, ValidationException) as error:
        raise _damaged(vector.key, error) from error
    if b"\n" in text:  # JSON still, but two lines
        raise _damaged(vector.key, "metadata with a line's end")


def _damaged(key: str, reason: object) -> StoreFailed:
    return StoreFailed(f"the vector {key!r} is damaged ({reason}): `s3vectors-local verify` tells what else is")


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
    for number in itertools.count(1):
        try:
            line = stream.readline(_LINE_BYTES + 1)
        except OSError as error:
            raise TransferFault(f"line {number} cannot be read: {error.strerror}") from error
        if not line:
            return
        if len(line) > _LINE_BYTES:
            raise TransferFault(f"line {number} is longer than {_LINE_BYTES} bytes")
        yield number, line.strip()


def _header(lines: Iterator[Line]) -> dict[str, Any]:
    """Return the members of a CreateIndex request that would be granted."""
    header = _object(next(lines, (1, b""))[1])
    if header.get("format") != FORMAT:
        raise TransferFault("line 1: this is not an index that s3vectors-local has exported")
    if header.get("version") != VERSION:
        raise TransferFault(f"line 1: version {header.get('version')} is of another release, this one reads {VERSION}")
    created = header.get("index")
    if not isinstance(created, dict):
        raise TransferFault("line 1: it does not say which index")
    try:
        with open_engine(None) as trial:
            _make(trial, created)
    except (ValidationException, SerializationException) as error:
        raise TransferFault(f"line 1: {error}") from error
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
