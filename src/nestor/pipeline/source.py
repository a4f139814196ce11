"""The files themselves, in the bucket that the pipeline watches: clients put them in and fetch them by themselves."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from nestor.domain import Manifest, object_id
from nestor.errors import InvalidInput, ObjectMissing
from nestor.media import kinds
from nestor.outcome import Labels
from nestor.ports import Form, Handover, Objects
from nestor.refusals import Refused
from nestor.uploads import safe_name

SECONDS = 900
"""For which a form or an address is good; less where the credentials that signed it end earlier."""
FOLDER = "uploads"
"""Of the bucket, for files that are filed under nothing."""
TYPES = frozenset(kind.content_type for kind in (*kinds.BY_SUFFIX.values(), *kinds.FLAVOURS.values(), kinds.PLAIN))
"""Of what can be read."""

_READ = re.compile(r"(audio|image|text|video)/[a-z0-9][a-z0-9.+-]{0,80}")
"""What may be something that can be read under a less usual name: the pipeline looks at the content."""
_NO_PICTURES = frozenset({"image/svg+xml", "image/heic", "image/heif"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Where a client may store one file."""

    uri: str
    form: Form
    content_type: str
    least_bytes: int
    most_bytes: int
    seconds: int = SECONDS

    @property
    def object_id(self) -> str:
        """The id that the asset will have."""
        return object_id(self.uri)


class SourceFiles:
    """Hands over the objects of one bucket. What is stored there, or goes from there, starts the pipeline by itself."""

    def __init__(
        self,
        bucket: str,
        *,
        objects: Objects,
        handover: Handover,
        most_bytes: int,
        collections: bool,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        """Hand over files of at most so many bytes; `collections`: the first folder of a key is its collection."""
        self._root = f"s3://{bucket}/"
        self._objects = objects
        self._handover = handover
        self._most_bytes = most_bytes
        self._collections = collections
        self._new_id = new_id

    def offer(self, name: str, *, content_type: str = "", size: int | None = None, collection: str = "") -> Offer:
        """Return where the file may be stored, in a folder of its own: no other file is replaced.

        Raises InvalidInput for a name, a size or a collection that cannot be, Refused (415, 413) for a type that is
        not read here and a file that is too large; ObjectsError.
        """
        folder = self._folder(collection)
        # S3 would put the name that the client's form tells in this one's place.
        safe = safe_name(name).replace("${", "$_")
        kind = _checked_type(content_type, safe)
        least, most = self._sizes(size)
        uri = f"{self._root}{folder}/{self._new_id()}/{safe}"
        form = self._handover.form(uri, seconds=SECONDS, content_type=kind, sizes=(least, most))
        return Offer(uri=uri, form=form, content_type=kind, least_bytes=least, most_bytes=most)

    def holds(self, manifest: Manifest) -> bool:
        """Say whether the asset's file belongs here; it may be gone all the same."""
        return manifest.uri.startswith(self._root)

    def link(self, manifest: Manifest, *, content_type: str, disposition: str, head: bool = False) -> str:
        """Return the address to fetch the asset's file from. Raises Refused: it is elsewhere, or gone; ObjectsError."""
        self._check_here(manifest, status=404)
        try:
            self._objects.info(manifest.uri)
        except ObjectMissing as error:
            raise Refused(404, "FileGone", f"{manifest.file_name} is not there any more.") from error
        return self._handover.link(
            manifest.uri, seconds=SECONDS, content_type=content_type, disposition=disposition, head=head
        )

    def remove(self, manifest: Manifest) -> None:
        """Delete the asset's file; what is stored of it is forgotten for that. Raises Refused: it is elsewhere."""
        self._check_here(manifest, status=409)
        self._objects.delete(manifest.uri)

    def _check_here(self, manifest: Manifest, *, status: int) -> None:
        if not self.holds(manifest):
            raise Refused(
                status, "FileElsewhere", f"{manifest.uri} lies in another bucket: ask for it, or delete it, there."
            )

    def _folder(self, collection: str) -> str:
        if not collection:
            return FOLDER
        if not self._collections:
            raise InvalidInput("Here nothing is filed under collections: leave out collection.")
        if collection != collection.strip(" .") or re.search(r"[/\\$\x00-\x1f\x7f]", collection):
            raise InvalidInput(f"collection is {collection[:80]!r}; it is the name of a folder, without / \\ $.")
        return Labels(collection).collection

    def _sizes(self, size: int | None) -> tuple[int, int]:
        if size is None:
            return 1, self._most_bytes
        if size < 1:
            raise InvalidInput(f"size_bytes is {size}; an empty file says nothing.")
        if size > self._most_bytes:
            raise Refused(413, "TooLarge", f"A file may have {self._most_bytes:,} bytes.")
        return size, size


def _checked_type(given: str, name: str) -> str:
    suffix = PurePath(name).suffix.lower()
    by_name = kinds.BY_SUFFIX.get(suffix) or kinds.FLAVOURS.get(suffix) or kinds.PLAIN
    kind = given.lower() or by_name.content_type
    if kind not in TYPES and (kind in _NO_PICTURES or not _READ.fullmatch(kind)):
        raise Refused(
            415,
            "UnsupportedMediaType",
            f"content_type is {given[:80]!r}; it must be one of {', '.join(sorted(TYPES))}.",
        )
    return kind
