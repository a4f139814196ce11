"""Stored assets and jobs as lists and documents."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from nestor.domain import Hit, Manifest
from nestor.ports import Manifests
from nestor.uploads import Job


@dataclass(frozen=True, slots=True)
class Listing:
    """Some of the assets that match."""

    assets: tuple[Manifest, ...]
    total: int
    """How many match."""
    next_offset: int | None
    """Where the next ones begin; None after the last."""
    collections: tuple[str, ...]
    """Of all assets."""


def page(
    manifests: Manifests,
    *,
    modality: str | None = None,
    collection: str | None = None,
    status: str | None = None,
    name: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> Listing:
    """Return the assets that match, in the order of their addresses; `name` is a part of the file's name."""
    everything = list(manifests.all())
    matching = [
        each
        for each in everything
        if (modality is None or each.modality == modality)
        and (collection is None or each.collection == collection)
        and (status is None or each.status == status)
        and (name is None or name.casefold() in each.file_name.casefold())
    ]
    shown = tuple(matching[offset : offset + limit])
    rest = offset + limit if offset + limit < len(matching) else None
    collections = tuple(sorted({each.collection for each in everything if each.collection}))
    return Listing(shown, len(matching), rest, collections)


def asset_document(manifest: Manifest, *, is_here: bool) -> dict[str, Any]:
    """Return what is known of an asset, as JSON has it; `is_here` says whether its file can be had."""
    return {"object_id": manifest.object_id, **dataclasses.asdict(manifest), "file_is_here": is_here}


def segment_document(hit: Hit) -> dict[str, Any]:
    """Return what is stored beside a segment."""
    return {"key": hit.key, "metadata": {name: value for name, value in hit.metadata.items() if name != "code"}}


def job_document(job: Job) -> dict[str, Any]:
    """Return how far a job is."""
    return {
        "id": job.id,
        "state": job.state,
        "stage": job.stage,
        "percent": job.percent,
        "files": [
            {
                "object_id": file.object_id,
                "name": file.name,
                "status": file.status,
                "segments": file.segments,
                "reason": file.reason,
                "message": file.message,
            }
            for file in job.files
        ],
        "failed": sum(file.status == "failed" for file in job.files),
        "collection": job.collection,
        "tags": list(job.tags),
        "error": job.error,
        "submitted_at": job.submitted_at,
        "finished_at": job.finished_at,
    }
