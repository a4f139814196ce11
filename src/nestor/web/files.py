"""A stored asset's own file as an answer: no other file, ranges as in RFC 9110, nothing that could run."""

import os
import re
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nestor.domain import Manifest
from nestor.moments import path_of
from nestor.refusals import Refused

_CHUNK = 256 << 10
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")
_SHOWN: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"})
"""Pictures that browsers show and that hold no script; SVG does."""
_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'; sandbox"
_DOCUMENT: Final = "script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""A browser's own viewer of PDF does not work in a sandbox."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open for reading."""

    descriptor: int
    size: int
    modified: float
    etag: str

    def read(self, start: int, count: int) -> bytes:
        """Return at most so many bytes from there on."""
        return os.pread(self.descriptor, count, start)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


def opened(manifest: Manifest) -> Opened:
    """Return the file of the asset, open. Raises Refused: it is elsewhere, gone, or a link that leads away."""
    named = path_of(manifest.uri)
    if named is None:
        raise Refused(404, "FileElsewhere", f"The file is not on this machine: {manifest.uri}.")
    try:
        descriptor = os.open(_followed(named), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(404, "FileGone", f"{manifest.file_name} is not there any more, or may not be read.") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Refused(404, "FileGone", f"{manifest.file_name} is no file any more.")
    etag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
    return Opened(descriptor, status.st_size, status.st_mtime, etag)


class RangeNotSatisfiable(Refused):
    """The range begins beyond the end."""

    def __init__(self, size: int) -> None:
        """Tell how long the file is."""
        super().__init__(416, "RangeNotSatisfiable", f"The file has {size:,} bytes.")
        self.headers = {"content-range": f"bytes */{size}"}


async def sent(request: Request, manifest: Manifest, *, download: bool = False) -> Response:
    """Return the file, or the one range of it that was asked for; several ranges get all of it.

    Raises Refused as `opened` does, and 416 for a range that begins beyond its end.
    """
    file = await run_in_threadpool(opened, manifest)
    try:
        return _answer(request, manifest, file, download=download)
    except BaseException:
        file.close()
        raise


def _followed(named: Path) -> Path:
    """Return the file that the name leads to; a link may lead no further than its own folder."""
    actual = named.resolve(strict=True)
    if actual.parent != named.parent.resolve():
        raise Refused(403, "LinkRefused", f"{named.name} is a link that leads out of its folder.")
    return actual


def _answer(request: Request, manifest: Manifest, file: Opened, *, download: bool) -> Response:
    headers = {
        **presented(manifest, download=download),
        "etag": file.etag,
        "last-modified": formatdate(file.modified, usegmt=True),
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
    }
    if _is_known(request, file):
        file.close()
        return Response(status_code=304, headers=headers)
    start, end = _range(request, file, headers)
    status = 206 if (start, end) != (0, file.size) or "content-range" in headers else 200
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        file.close()
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_bytes(file, start, end), status, headers)


async def _bytes(file: Opened, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        while start < end and (chunk := await run_in_threadpool(file.read, start, min(_CHUNK, end - start))):
            start += len(chunk)
            yield chunk
    finally:
        file.close()


def _range(request: Request, file: Opened, headers: dict[str, str]) -> tuple[int, int]:
    """Return first and last + 1; note the range in the headers where there is one."""
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or asked.groups() == ("", "") or not _is_current(request, file, headers):
        return 0, file.size  # what cannot be understood is as if it were not there
    first, last = asked.groups()
    if first and last and int(first) > int(last):
        return 0, file.size
    start = int(first) if first else max(0, file.size - int(last))
    end = min(file.size, int(last) + 1) if first and last else file.size
    if start >= file.size:
        raise RangeNotSatisfiable(file.size)
    headers["content-range"] = f"bytes {start}-{end - 1}/{file.size}"
    return start, end


def _is_known(request: Request, file: Opened) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return file.etag in tags or "*" in tags


def _is_current(request: Request, file: Opened, headers: dict[str, str]) -> bool:
    condition = request.headers.get("if-range")
    return condition is None or condition in {file.etag, headers["last-modified"]}


def presented(manifest: Manifest, *, download: bool) -> dict[str, str]:
    """Return how a browser is to take the file: never as something that runs."""
    kind = manifest.content_type
    if kind in _SHOWN or kind.startswith(("audio/", "video/")):
        shown, policy = True, _SANDBOX
    elif kind == "application/pdf":
        shown, policy = True, _DOCUMENT
    elif kind.startswith("text/") or kind in {"application/json", "application/x-ndjson", "application/x-subrip"}:
        kind, shown, policy = "text/plain; charset=utf-8", True, _SANDBOX
    else:
        kind, shown, policy = kind or "application/octet-stream", False, _SANDBOX
    return {
        "content-type": kind,
        "content-disposition": disposition(manifest.file_name, inline=shown and not download),
        "content-security-policy": policy,
    }


def disposition(name: str, *, inline: bool) -> str:
    """Return the header that tells the name of a file, whatever characters it has (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%/]', "_", name) or "file"
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
