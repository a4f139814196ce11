"""Bodies of requests, bounded: a JSON object, or files that are written as they come."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from nestor.errors import InvalidInput
from nestor.media.source import sized
from nestor.refusals import Refused

T = TypeVar("T")

_CHUNK = 1 << 20
"""Bytes that are written together: each writing waits for a thread."""
_FIELD_BYTES = 64 << 10
_FIELDS = 32
_HEADER_BYTES = 8 << 10
_MULTIPART = "multipart/form-data"


class FileSink(Protocol):
    """Takes files one after another."""

    def begin(self, name: str) -> None:
        """Begin a file of that name."""
        ...

    def write(self, data: bytes) -> None:
        """Write more of it."""
        ...

    def end(self) -> None:
        """End it."""
        ...


def is_multipart(request: Request) -> bool:
    """Say whether the body is a form that may hold files."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _MULTIPART


async def json_object(request: Request, *, most: int, idle: float) -> dict[str, Any]:
    """Return the JSON object that is the body, whatever its type is called. Raises Refused, InvalidInput."""
    body = b"".join([chunk async for chunk in chunks(request, most=most, idle=idle)])
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"The body is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise InvalidInput('The body must be a JSON object such as {"query": "words"}.')
    return document


async def fields(request: Request, *, most: int, idle: float) -> dict[str, list[str]]:
    """Return the fields of a form without files, each with all its values. Raises Refused, InvalidInput."""
    body = b"".join([chunk async for chunk in chunks(request, most=most, idle=idle)])
    try:
        return parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError as error:
        raise InvalidInput(f"The form cannot be read: {error}.") from error


async def chunks(request: Request, *, most: int, idle: float, beside: int = 0) -> AsyncIterator[bytes]:
    """Yield the body as it comes. Raises Refused: 413 beyond so many bytes, 408 after so many seconds of nothing.

    What is `beside` the files of a form may come too, and is not told of: people know how large their file is.
    """
    if request.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise Refused(415, "UnsupportedMediaType", "Send the body as it is, not compressed.")
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most + beside:
        raise _too_large(most)
    stream, size = aiter(request.stream()), 0
    while True:
        try:
            async with asyncio.timeout(idle):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise Refused(408, "TooSlow", f"Nothing came for {idle:g} s.") from None
        if chunk is None:
            return
        size += len(chunk)
        if size > most + beside:
            raise _too_large(most)
        yield chunk


async def form(
    request: Request,
    sink: FileSink,
    *,
    most: int,
    files: int,
    idle: float,
    beside: int = 0,
    on_thread: Callable[..., Any] = run_in_threadpool,
) -> dict[str, list[str]]:
    """Write the form's files to the sink as they come, and return its fields, each with all its values.

    Raises Refused for a body that is no such form, too large, too slow, or that holds too many files.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not is_multipart(request) or not boundary or len(boundary) > 70:  # RFC 2046
        raise Refused(415, "UnsupportedMediaType", f"Send a form of type {_MULTIPART} with its boundary.")
    parts = _Parts(files)
    parser = MultipartParser(boundary, parts.callbacks())
    try:
        async for chunk in chunks(request, most=most, idle=idle, beside=beside):
            parser.write(chunk)
            if parts.waiting_bytes >= _CHUNK:
                await on_thread(parts.pour, sink)
        parser.finalize()
    except FormParserError as error:
        raise InvalidInput("The form is damaged: is its boundary the one in the header?") from error
    if not parts.is_complete:
        raise InvalidInput("The form ends too early.")
    await on_thread(parts.pour, sink)
    return parts.fields


def only(fields: dict[str, list[str]], known: frozenset[str]) -> dict[str, str]:
    """Return the fields with their one value. Raises InvalidInput for one that is unknown or repeated."""
    for name, values in fields.items():
        if name not in known:
            raise InvalidInput(f"{name[:80]!r} is unknown; known are {', '.join(sorted(known))}.")
        if len(values) > 1:
            raise InvalidInput(f"{name} is given {len(values)} times.")
    return {name: values[0] for name, values in fields.items()}


@dataclass(slots=True)
class _Parts:
    """What a parser of forms calls back; what is to be written waits until `pour`."""

    most_files: int
    fields: dict[str, list[str]] = field(default_factory=dict)
    is_complete: bool = False
    waiting_bytes: int = 0
    _files: int = 0
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _field: str | None = None
    _data: bytearray = field(default_factory=bytearray)
    _waiting: list[tuple[str, str | bytes]] = field(default_factory=list)

    def callbacks(self) -> Any:
        """Return them by the names that the parser knows."""
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": lambda data, start, end: self._grow(self._header, data[start:end], _HEADER_BYTES),
            "on_header_value": lambda data, start, end: self._grow(self._value, data[start:end], _HEADER_BYTES),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def pour(self, sink: FileSink) -> None:
        """Give the sink what waits for it."""
        waiting, self._waiting, self.waiting_bytes = self._waiting, [], 0
        for what, value in waiting:
            if what == "begin":
                sink.begin(str(value))
            elif isinstance(value, bytes):
                sink.write(value)
            else:
                sink.end()

    def _grow(self, buffer: bytearray, data: bytes, most: int) -> None:
        if len(buffer) + len(data) > most:
            raise Refused(413, "TooLarge", f"A field of the form, or its header, may have {most:,} bytes.")
        buffer += data

    def _part_begin(self) -> None:
        self._disposition, self._field = b"", None
        self._data.clear()

    def _header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = _decoded(options.get(b"name", b""))
        if b"filename" not in options:
            self._field = name
            return
        self._files += 1
        if self._files > self.most_files:
            raise Refused(413, "TooLarge", f"A form may hold {self.most_files} files.")
        self._waiting.append(("begin", _decoded(options[b"filename"])))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None:
            self._grow(self._data, data[start:end], _FIELD_BYTES)
        else:
            self._waiting.append(("data", data[start:end]))
            self.waiting_bytes += end - start

    def _part_end(self) -> None:
        if self._field is None:
            self._waiting.append(("end", ""))
            return
        if sum(map(len, self.fields.values())) >= _FIELDS:
            raise Refused(413, "TooLarge", f"A form may hold {_FIELDS} fields.")
        self.fields.setdefault(self._field, []).append(_decoded(bytes(self._data)))

    def _end(self) -> None:
        self.is_complete = True


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("A name or a field of the form is not UTF-8.") from error


def _too_large(most: int) -> Refused:
    return Refused(413, "TooLarge", f"What is sent here may have {sized(most)} ({most:,} bytes) at most.")
