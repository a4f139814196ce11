"""Reports of whole comparisons, each a page of its own that may load nothing and run nothing."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from nestor.web import reports
from nestor.web.context import context

router = APIRouter()

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
"""Its styles and plots stand in the file itself; whatever else a file of that folder may hold stays without effect."""


@router.get("/reports/{name}")
async def report(request: Request, name: str) -> Response:
    """Show a report."""
    here = context(request)
    page = await here.run(reports.read, here.options.reports, name)
    return Response(page, media_type="text/html", headers={"content-security-policy": POLICY})
