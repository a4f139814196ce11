"""The page of one asset, opened at one of its segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from nestor.domain import Hit, Manifest, Modality
from nestor.moments import path_of
from nestor.segments import Segments
from nestor.web.assets import manifest_of
from nestor.web.context import Context, context
from nestor.web.limits import QUESTION_CHARACTERS
from nestor.web.pages.rendering import render

router = APIRouter(prefix="/asset")

LISTED = 100
"""Segments in the list beside the asset."""
AROUND = 2
"""Passages shown before and after the one that is opened."""
WIDTH = 1000
"""Of the timeline, in its own units."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One segment on the timeline, in its units."""

    hit: Hit
    x: float
    width: float


@router.get("/{object_id}")
async def view(
    request: Request,
    object_id: str,
    segment: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    q: Annotated[str, Query(max_length=QUESTION_CHARACTERS)] = "",
) -> Response:
    """Show the asset at the segment; the words of the question are marked."""
    here = context(request)
    return render(request, "asset.html", await here.run(_viewed, here, object_id, segment, q))


@router.get("/{object_id}/delete")
async def confirm_delete(request: Request, object_id: str) -> Response:
    """Ask whether the asset is to be removed."""
    here = context(request)
    return render(request, "delete.html", {"asset": await here.run(manifest_of, here, object_id)})


@router.post("/{object_id}/delete")
async def delete(request: Request, object_id: str) -> Response:
    """Remove the asset and go back to the library."""
    here = context(request)
    await here.run(here.uploads.delete, object_id)
    return RedirectResponse("/library", 303)


@router.post("/{object_id}/again")
async def again(request: Request, object_id: str) -> Response:
    """Ingest the asset's file again and show how far that is."""
    here = context(request)
    job = await here.run(here.uploads.again, object_id)
    return RedirectResponse(f"/library/jobs/{job.id}", 303)


def marks(segments: Sequence[Hit], duration: float) -> list[Mark]:
    """Return where the segments lie on a timeline of so many seconds; between neighbours is a gap of 2."""
    if duration <= 0:
        return []
    scale = WIDTH / duration
    return [
        Mark(hit, start * scale, max(4.0, (end - start) * scale - 2))
        for hit in segments
        if (start := _seconds(hit, "start_seconds")) is not None and (end := _seconds(hit, "end_seconds")) is not None
    ]


def _seconds(hit: Hit, name: str) -> float | None:
    value = hit.metadata.get(name)
    return float(value) if isinstance(value, int | float) else None


def _viewed(here: Context, object_id: str, segment: int, words: str) -> dict[str, Any]:
    manifest = manifest_of(here, object_id)
    index = max(0, min(segment, manifest.segments - 1))
    first = index - index % LISTED
    segments = Segments(here.nestor.vectors)
    listed = segments.of(manifest, first=first, count=LISTED) if manifest.modality else []
    current = next((hit for hit in listed if hit.metadata.get("segment_index") == index), None)
    is_played = manifest.modality in {Modality.AUDIO, Modality.VIDEO}
    is_read = manifest.modality in {Modality.TEXT, Modality.DOCUMENT}
    path = path_of(manifest.uri)
    return {
        "asset": manifest,
        "index": index,
        "current": current,
        "listed": listed,
        "first": first,
        "step": LISTED,
        "words": words,
        "passages": _around(segments, manifest, index) if is_read else [],
        "marks_of_time": marks(listed, _end(segments, manifest, listed)) if is_played else [],
        "duration": _end(segments, manifest, listed) if is_played else 0.0,
        "is_here": path is not None and path.is_file(),
        "can_change": here.nestor.uploads is not None,
        "large": _size(here, manifest, index),
    }


def _around(segments: Segments, manifest: Manifest, index: int) -> list[Hit]:
    first = max(0, index - AROUND)
    return segments.of(manifest, first=first, count=index + AROUND - first + 1)


def _end(segments: Segments, manifest: Manifest, listed: Sequence[Hit]) -> float:
    last = segments.of(manifest, first=manifest.segments - 1, count=1) or listed[-1:]
    return (_seconds(last[0], "end_seconds") or 0.0) if last else 0.0


def _size(here: Context, manifest: Manifest, index: int) -> tuple[int, int]:
    """Return width and height in proportion, so that nothing moves when the picture comes; 4 to 3 where unknown."""
    jpeg = here.nestor.thumbnails.get(manifest.object_id, index)
    return (jpeg and _jpeg_size(jpeg)) or (1200, 900)


def _jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
    # The frame header, ISO/IEC 10918-1 B.2.2: marker C0 to C3, length, precision, height, width.
    at = 2
    while at + 9 < len(jpeg) and jpeg[at] == 0xFF:
        if 0xC0 <= jpeg[at + 1] <= 0xC3:
            return int.from_bytes(jpeg[at + 7 : at + 9]), int.from_bytes(jpeg[at + 5 : at + 7])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return None
