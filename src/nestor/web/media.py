"""What a browser shows of an asset: its file, thumbnails, pages, text."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from nestor.caches import Bounded
from nestor.domain import Manifest
from nestor.moments import path_of
from nestor.refusals import Refused
from nestor.segments import Segments
from nestor.web import files, rendering, shapes
from nestor.web.assets import ObjectId, manifest_of
from nestor.web.context import Context, context
from nestor.web.limits import AROUND
from nestor.web.listing import segment_document

router = APIRouter(prefix="/media", tags=["media"])
home = APIRouter(prefix="/media", tags=["media"])
"""Of files on this machine; nestor.web.cloud is for those in a bucket."""

_Segment = Annotated[int, Path(ge=0, le=10_000_000, description="The segment, from 0.")]
_Page = Annotated[int, Path(ge=1, le=100_000, description="The page, from 1.")]
_PAGES_BYTES = 64 << 20
_pages: Bounded[bytes] = Bounded(_PAGES_BYTES)
"""Pages drawn before, by asset, state of its file, and number."""
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}
_FILE: dict[int | str, dict[str, Any]] = {
    status: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}, "description": words}
    for status, words in ((200, "The file."), (206, "The range of it that was asked for."))
}
_FILE[304] = {"description": "The file is the one that the client has."}


@home.head("/{object_id}", include_in_schema=False)
@home.get("/{object_id}", response_class=StreamingResponse, responses={**_FILE, **shapes.refusals(404, 416)})
async def show_file(request: Request, object_id: ObjectId, download: bool = False) -> Response:  # noqa: FBT001, FBT002 - a parameter of the query
    """Send the asset's own file, or one range of it; what could run in a browser as plain text or to be saved."""
    here = context(request)
    manifest = await here.run(manifest_of, here, object_id)
    return await files.sent(request, manifest, download=download)


@home.get("/{object_id}/thumbnails/{segment}", response_class=Response, responses={**_JPEG, **shapes.refusals(404)})
async def show_thumbnail(request: Request, object_id: ObjectId, segment: _Segment) -> Response:
    """Send the picture of a segment: the image, the page or the keyframe, at most 768 pixels, as JPEG."""
    here = context(request)
    return _picture(request, await here.run(_thumbnail, here, object_id, segment))


@home.get("/{object_id}/pages/{page}", response_class=Response, responses={**_JPEG, **shapes.refusals(404, 422)})
async def show_page(request: Request, object_id: ObjectId, page: _Page) -> Response:
    """Send a page of a PDF as JPEG, its longer side 1,568 pixels."""
    here = context(request)
    manifest = await here.run(manifest_of, here, object_id)
    if manifest.content_type != "application/pdf":
        raise Refused(404, "NoPages", "Only a PDF has pages to show.")
    return _picture(request, await here.read(_drawn, manifest, page))


@router.get("/{object_id}/text", responses={200: {"model": shapes.Excerpt}, **shapes.refusals(404)})
async def show_text(
    request: Request,
    object_id: ObjectId,
    segment: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    around: Annotated[int, Query(ge=0, le=AROUND, description="Segments before and after.")] = 0,
) -> Response:
    """Send the stored text of a segment and of those around it."""
    here = context(request)
    return Response(
        orjson.dumps(await here.run(_excerpt, here, object_id, segment, around)), media_type="application/json"
    )


def _thumbnail(here: Context, object_id: str, segment: int) -> bytes:
    manifest_of(here, object_id)
    picture = here.nestor.thumbnails.get(object_id, segment)
    if picture is None:
        raise Refused(404, "NotFound", f"There is no picture of segment {segment}.")
    return picture


def _drawn(manifest: Manifest, page: int) -> bytes:
    file = files.opened(manifest)  # it is refused here where it may not be shown
    file.close()
    if manifest.segments and page > manifest.segments:
        raise Refused(404, "NotFound", f"{manifest.file_name} has {manifest.segments} pages.")
    key = (manifest.object_id, file.etag, page)
    known = _pages.get(key)
    if known is None:
        path = path_of(manifest.uri)
        assert path is not None  # noqa: S101  # it was opened
        known = rendering.page_jpeg(path, page)
        _pages.put(key, known, size=len(known))
    return known


def _excerpt(here: Context, object_id: str, segment: int, around: int) -> dict[str, Any]:
    manifest = manifest_of(here, object_id)
    first = max(0, segment - around)
    found = Segments(here.nestor.vectors).of(manifest, first=first, count=segment + around - first + 1)
    return {"object_id": object_id, "segments": [segment_document(hit) for hit in found]}


def _picture(request: Request, jpeg: bytes) -> Response:
    from hashlib import blake2b

    etag = f'"{blake2b(jpeg, digest_size=12).hexdigest()}"'
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(jpeg, headers=headers, media_type="image/jpeg")
