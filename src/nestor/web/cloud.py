"""Files in a bucket: clients store and fetch them by themselves; the pipeline that watches it does the rest."""

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from nestor.errors import InvalidInput
from nestor.pipeline.source import Offer, SourceFiles
from nestor.web import bodies, shapes
from nestor.web.assets import ObjectId, manifest_of
from nestor.web.context import context
from nestor.web.files import presented
from nestor.web.limits import NAME_CHARACTERS

_MEMBERS: Final = {"name": str, "content_type": str, "size_bytes": int, "collection": str}
_FILE_NAME: Final = 1_000
"""Characters; what a key has no room for is cut off."""
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": _FILE_NAME},
                        "content_type": {"type": "string", "description": "By default what the name's ending says."},
                        "size_bytes": {"type": "integer", "minimum": 1, "description": "Of exactly so many bytes."},
                        "collection": {"type": "string", "maxLength": NAME_CHARACTERS},
                    },
                },
                "example": {"name": "film.mp4", "size_bytes": 1_048_576},
            }
        },
    }
}


class UploadForm(BaseModel):
    """What to send to `url` as multipart/form-data: the fields, then the file as `file`."""

    model_config = ConfigDict(extra="forbid")
    url: str
    fields: dict[str, str]


class UploadOffer(BaseModel):
    """Where one file may be stored, once and for some seconds; the asset is there when the pipeline has read it."""

    model_config = ConfigDict(extra="forbid")
    object_id: str
    uri: str
    upload: UploadForm
    content_type: str
    least_bytes: int
    most_bytes: int
    expires_in: int


def routers(source: SourceFiles) -> tuple[APIRouter, ...]:
    """Return the routes of the files in this bucket, for `create`."""
    router = APIRouter()

    @router.post(
        "/assets",
        tags=["assets"],
        responses={200: {"model": UploadOffer}, **shapes.refusals(408, 413, 415)},
        openapi_extra=_BODY,
    )
    async def offer_upload(request: Request) -> Response:
        """Return the form by which a client stores one file itself; storing it starts its ingest."""
        here = context(request)
        asked = _asked(await bodies.json_object(request, most=here.limits.body_bytes, idle=here.limits.idle_seconds))
        offered = await here.run(source.offer, asked.pop("name"), **asked)
        return Response(orjson.dumps(_document(offered)), media_type="application/json")

    @router.delete(
        "/assets/{object_id}",
        tags=["assets"],
        status_code=202,
        responses={202: {"model": shapes.Deleted}, **shapes.refusals(404, 409)},
    )
    async def delete_asset(request: Request, object_id: ObjectId) -> Response:
        """Delete an asset's file; its vectors and its manifest go some seconds later, by themselves."""
        here = context(request)
        manifest = await here.run(manifest_of, here, object_id)
        await here.run(source.remove, manifest)
        told = {"object_id": manifest.object_id, "uri": manifest.uri, "segments": manifest.segments}
        return Response(orjson.dumps(told), 202, media_type="application/json")

    @router.head("/media/{object_id}", include_in_schema=False)
    @router.get(
        "/media/{object_id}",
        tags=["media"],
        status_code=302,
        response_class=Response,
        responses={302: {"description": "The file is there; ranges, too."}, **shapes.refusals(404)},
    )
    async def show_file(
        request: Request,
        object_id: ObjectId,
        download: Annotated[bool, Query()] = False,  # noqa: FBT002 - a parameter of the query
    ) -> Response:
        """Send on to the asset's own file, at an address that is good for some minutes and gives ranges of it."""
        here = context(request)
        manifest = await here.run(manifest_of, here, object_id)
        shown = presented(manifest, download=download)
        address = await here.run(
            source.link,
            manifest,
            content_type=shown["content-type"],
            disposition=shown["content-disposition"],
            head=request.method == "HEAD",
        )
        return Response(status_code=302, headers={"location": address})

    return (router,)


def _asked(document: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an offer. Raises InvalidInput naming the member that is unknown or makes no sense."""
    if unknown := sorted(map(str, document.keys() - _MEMBERS.keys())):
        raise InvalidInput(f"{unknown[0][:80]!r} is unknown; known are {', '.join(sorted(_MEMBERS))}.")
    for name, value in document.items():
        if type(value) is not _MEMBERS[name]:  # a boolean is no number here
            words = "a text" if _MEMBERS[name] is str else "a whole number"
            raise InvalidInput(f"{name} is {str(value)[:80]!r}; it must be {words}.")
    name = document.get("name", "")
    if not name or len(name) > _FILE_NAME:
        raise InvalidInput(f"name must be the file's name, of 1 to {_FILE_NAME:,} characters.")
    if len(document.get("collection", "")) > NAME_CHARACTERS:
        raise InvalidInput(f"collection may have {NAME_CHARACTERS} characters.")
    return {{"size_bytes": "size"}.get(member, member): value for member, value in document.items()}


def _document(offer: Offer) -> dict[str, Any]:
    return {
        "object_id": offer.object_id,
        "uri": offer.uri,
        "upload": {"url": offer.form.url, "fields": dict(offer.form.fields)},
        "content_type": offer.content_type,
        "least_bytes": offer.least_bytes,
        "most_bytes": offer.most_bytes,
        "expires_in": offer.seconds,
    }
