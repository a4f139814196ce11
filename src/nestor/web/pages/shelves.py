"""The library: what is stored, what is on its way, and uploads."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from nestor.domain import Modality, Status
from nestor.errors import InvalidInput
from nestor.refusals import Refused
from nestor.uploads import Job
from nestor.web import listing, reports
from nestor.web.assets import received
from nestor.web.context import Context, context
from nestor.web.limits import NAME_CHARACTERS
from nestor.web.pages.rendering import is_fragment, render

router = APIRouter(prefix="/library")

PAGE = 50
"""Assets on a page."""
RECENT = 3
"""Jobs that are over and still shown there."""
SHOWN = 20
"""Files of a job."""

_Text = Annotated[str, Query(max_length=NAME_CHARACTERS)]


@router.get("")
async def library(
    request: Request,
    modality: _Text = "",
    collection: _Text = "",
    status: _Text = "",
    name: _Text = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """Show the assets, the form for uploads, and the jobs."""
    here = context(request)
    wanted = {"modality": modality, "collection": collection, "status": status, "name": name}
    for field, known in (("modality", Modality), ("status", Status)):
        if wanted[field] and wanted[field] not in set(known):
            raise InvalidInput(f"There is no {field} {wanted[field]!r}: {', '.join(known)}.")
    return render(request, "library.html", await here.run(_shelved, here, wanted, offset))


@router.post("/upload")
async def upload(request: Request) -> Response:
    """Take files in and show how far their job is."""
    job = await received(request)
    return await _told(request, job) if is_fragment(request) else RedirectResponse(f"/library/jobs/{job.id}", 303)


@router.get("/jobs/{job_id}")
async def show_job(request: Request, job_id: Annotated[str, Path(max_length=64)]) -> Response:
    """Show how far a job is; the part that the script asks for asks again by itself until the job is over."""
    job = context(request).uploads.job(job_id)
    if job is None:
        raise Refused(404, "NotFound", "There is no such job; the record of an old one may be gone.")
    return await _told(request, job)


async def _told(request: Request, job: Job) -> Response:
    here, is_part = context(request), is_fragment(request)
    values = {"job": job, "kept": await here.run(_kept, here, [job]), "most": SHOWN}
    is_news = is_part and job.is_over
    response = render(request, "job.html", values | {"is_told": is_news, "is_folded": False})
    if is_news:
        response.headers["hx-trigger"] = "stored"  # the list beside it asks anew
    return response


def _shelved(here: Context, wanted: dict[str, str], offset: int) -> dict[str, Any]:
    given = {name: value or None for name, value in wanted.items()}
    jobs = _recent(here.nestor.uploads.jobs()) if here.nestor.uploads is not None else []
    return {
        "listed": listing.page(here.nestor.manifests, **given, offset=offset, limit=PAGE),
        "wanted": wanted,
        "is_filtered": any(wanted.values()),
        "offset": offset,
        "page": PAGE,
        "limits": here.limits,
        "can_change": here.nestor.uploads is not None,
        "has_reports": bool(reports.listed(here.options.reports)),
        "jobs": jobs,
        "kept": _kept(here, jobs),
        "most": SHOWN,
        "is_told": False,
        "is_folded": True,
    }


def _kept(here: Context, jobs: Sequence[Job]) -> frozenset[str]:
    """Return the ids of those of the jobs' files that are (still) stored."""
    shown = {file.object_id for job in jobs for file in job.files[:SHOWN]}
    return frozenset(identity for identity in shown if here.nestor.manifests.get(identity) is not None)


def _recent(jobs: list[Job]) -> list[Job]:
    """Return the jobs that go on, and the latest few of the others."""
    over = [job for job in jobs if job.is_over][:RECENT]
    return [job for job in jobs if not job.is_over or job in over]
