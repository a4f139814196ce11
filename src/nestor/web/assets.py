"""The stored assets, uploads, and the jobs that ingest them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from nestor.domain import Manifest, Modality, Status
from nestor.outcome import Labels
from nestor.refusals import Refused
from nestor.segments import Segments
from nestor.uploads import Job
from nestor.web import bodies, events, requests, shapes
from nestor.web.context import Context, context
from nestor.web.limits import LISTED, NAME_CHARACTERS
from nestor.web.listing import asset_document, job_document, page, segment_document

router = APIRouter(tags=["assets"])
home = APIRouter(tags=["assets"])
"""Where files come into a folder of this machine; nestor.web.cloud is for those in a bucket."""

ObjectId = Annotated[str, Path(pattern="^[0-9a-f]{24}$", description="The id of an asset.")]
_JobId = Annotated[str, Path(pattern="^[0-9a-f]{24}$", description="The id of a job.")]
_Name = Annotated[str | None, Query(max_length=NAME_CHARACTERS)]
_LOOK_SECONDS = 0.1
_ALIVE_SECONDS = 15.0


@router.get("/assets", responses={200: {"model": shapes.Assets}, **shapes.refusals()})
async def list_assets(
    request: Request,
    modality: Modality | None = None,
    status: Status | None = None,
    collection: _Name = None,
    name: _Name = None,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=LISTED)] = 50,
) -> Response:
    """List the stored assets, in the order of their addresses."""
    here = context(request)
    return _told(
        await here.run(
            _listed,
            here,
            modality=modality,
            status=status,
            collection=collection,
            name=name,
            offset=offset,
            limit=limit,
        )
    )


@home.post(
    "/assets",
    status_code=202,
    responses={202: {"model": shapes.Job}, **shapes.refusals(408, 409, 413, 415)},
    openapi_extra=requests.UPLOAD_BODY,
)
async def upload(request: Request) -> Response:
    """Take files in. They and their job are durable when this answers; the job ingests them in the background."""
    job = await received(request)
    return _told(job_document(job), 202, location=f"/jobs/{job.id}")


@router.get("/assets/{object_id}", responses={200: {"model": shapes.AssetWithSegments}, **shapes.refusals(404)})
async def show_asset(
    request: Request,
    object_id: ObjectId,
    first_segment: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=LISTED)] = 100,
) -> Response:
    """Show an asset and its segments."""
    here = context(request)
    return _told(await here.run(_shown, here, object_id, first_segment, limit))


@home.delete("/assets/{object_id}", responses={200: {"model": shapes.Deleted}, **shapes.refusals(404, 409)})
async def delete_asset(request: Request, object_id: ObjectId) -> Response:
    """Remove an asset: vectors of every size, thumbnails, manifest, and the file itself where it was uploaded."""
    here = context(request)
    deleted = await here.run(here.uploads.delete, object_id)
    return _told({"object_id": deleted.object_id, "uri": deleted.uri, "segments": deleted.segments})


@home.post(
    "/assets/{object_id}/ingest",
    status_code=202,
    responses={202: {"model": shapes.Job}, **shapes.refusals(404, 409)},
)
async def ingest_again(request: Request, object_id: ObjectId) -> Response:
    """Ingest an asset's file again: one that failed is tried, one that changed is replaced, any other stays."""
    here = context(request)
    job = await here.run(here.uploads.again, object_id)
    return _told(job_document(job), 202, location=f"/jobs/{job.id}")


@home.get("/jobs", responses={200: {"model": shapes.Jobs}, **shapes.refusals()})
async def list_jobs(request: Request) -> Response:
    """List the latest jobs, the latest first."""
    return _told({"jobs": [job_document(job) for job in context(request).uploads.jobs()[:LISTED]]})


@home.get("/jobs/{job_id}", responses={200: {"model": shapes.Job}, **shapes.refusals(404)})
async def show_job(request: Request, job_id: _JobId) -> Response:
    """Show how far a job is."""
    return _told(job_document(_job(context(request), job_id)))


@home.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **shapes.refusals(404)},
)
async def follow_job(request: Request, job_id: _JobId) -> Response:
    """Follow a job: an event `progress` for each change, then `done`; the data of each is the job."""
    here = context(request)
    _job(here, job_id)
    return events.stream(here, _progress(here, job_id))


async def received(request: Request) -> Job:
    """Return the job for the files of a form. Raises Refused, InvalidInput, QueueFull, HomeUnusable."""
    here, limits = context(request), context(request).limits
    incoming = await run_in_threadpool(here.uploads.receive)
    try:
        fields = await bodies.form(
            request, incoming, most=limits.upload_bytes, files=limits.upload_files, idle=limits.idle_seconds
        )
        tags = tuple(fields.pop("tag", ()))
        labels = Labels(bodies.only(fields, frozenset({"collection"})).get("collection", ""), tags)
        return await run_in_threadpool(here.uploads.take, incoming, labels=labels)
    except BaseException:
        incoming.drop()
        raise


def manifest_of(here: Context, object_id: str) -> Manifest:
    """Return what is stored of the asset. Raises Refused where there is none."""
    manifest = here.nestor.manifests.get(object_id)
    if manifest is None:
        raise Refused(404, "NotFound", f"Nothing is stored under {object_id}.")
    return manifest


def _listed(here: Context, **wanted: Any) -> dict[str, Any]:
    listing = page(here.nestor.manifests, **wanted)
    return {
        "assets": [asset_document(each, is_here=here.options.holds(each)) for each in listing.assets],
        "total": listing.total,
        "next_offset": listing.next_offset,
        "collections": listing.collections,
    }


def _shown(here: Context, object_id: str, first: int, limit: int) -> dict[str, Any]:
    manifest = manifest_of(here, object_id)
    found = Segments(here.nestor.vectors).of(manifest, first=first, count=limit) if manifest.modality else []
    return {
        "asset": asset_document(manifest, is_here=here.options.holds(manifest)),
        "segments": [segment_document(hit) for hit in found],
        "next_segment": first + limit if first + limit < manifest.segments else None,
    }


def _job(here: Context, job_id: str) -> Job:
    job = here.uploads.job(job_id)
    if job is None:
        raise Refused(404, "NotFound", f"There is no job {job_id}; the record of an old one may be gone.")
    return job


async def _progress(here: Context, job_id: str) -> AsyncIterator[bytes]:
    told, quiet = None, 0.0
    while not here.closing.is_set():
        job = here.uploads.job(job_id)
        if job is None:
            return
        if job != told:
            told, quiet = job, 0.0
            yield events.event("done" if job.is_over else "progress", job_document(job))
        if job.is_over:
            return
        if quiet >= _ALIVE_SECONDS:
            quiet = 0.0
            yield events.ALIVE
        await asyncio.sleep(_LOOK_SECONDS)
        quiet += _LOOK_SECONDS


def _told(document: Mapping[str, Any], status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(document), status, headers, media_type="application/json")
