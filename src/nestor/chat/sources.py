"""What there is to read and to see at the places that were found, within bounds."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from nestor import media
from nestor.chat.citing import plain
from nestor.chat.events import Passage
from nestor.chat.glance import READER, GlanceOptions
from nestor.chat.limits import (
    CONTEXT_CHARACTERS,
    LOOK_SECONDS,
    PASSAGE_CHARACTERS,
    PICTURE_BYTES,
    PICTURES,
    PICTURES_BYTES,
    SOURCE_BYTES,
)
from nestor.domain import Hit, Reading, Segment
from nestor.errors import NestorError, ObjectsError, UnreadableFile
from nestor.moments import Moment, moment, path_of
from nestor.ports import Objects, Thumbnails

_SEEN = frozenset({"image", "document", "video"})
_SAME = 80
"""Characters at the beginning that tell whether a file still says what was found in it."""
_MAYBE_CUT = 300
"""Bytes of an excerpt from which on there may be more: a row with a code has room for some hundreds."""


class Sources:
    """Looks places up: first in what is stored, then in the file itself, on this machine or in S3.

    A file that is gone, changed or cannot be read costs its picture and what the excerpt lacks; the passage says so.
    """

    def __init__(self, *, thumbnails: Thumbnails, objects: Callable[[], Objects] | None = None) -> None:
        """Look through these ports; without `objects`, files in S3 count as out of reach."""
        self._thumbnails = thumbnails
        self._objects = objects

    def passages(self, hits: Sequence[Hit], *, pictures: bool) -> tuple[Passage, ...]:
        """Return the passages, numbered in the order given, within the bounds of chat.limits."""
        found = [
            Passage(number=number, moment=place, text=place.text, picture=self._stored(place) if pictures else None)
            for number, place in enumerate(map(moment, hits), start=1)
        ]
        wanting = [each for each in found if _wants(each, pictures=pictures)]
        looked = {each.number: each for each in self._looked(wanting, pictures=pictures)}
        return _bounded(looked.get(each.number, each) for each in found)

    def _stored(self, place: Moment) -> bytes | None:
        return self._thumbnails.get(place.object_id, place.segment) if place.modality in _SEEN else None

    def _looked(self, wanting: Sequence[Passage], *, pictures: bool) -> Iterator[Passage]:
        by_file: dict[str, list[Passage]] = {}
        for each in wanting:
            by_file.setdefault(each.moment.uri, []).append(each)
        with ExitStack() as temporary:
            paths: dict[Path, list[Passage]] = {}
            for uri, passages in by_file.items():
                try:
                    paths[self._path(uri, temporary)] = passages
                except NestorError as error:
                    yield from (_noted(each, error) for each in passages)
            for path, result in _read(paths):
                yield from _seen(paths[path], result, pictures=pictures)

    def _path(self, uri: str, temporary: ExitStack) -> Path:
        """Return where the file lies on this machine, fetched where it lies in S3."""
        if (path := path_of(uri)) is not None:
            return path
        if self._objects is None or not uri.startswith("s3://"):
            raise ObjectsError(f"{uri} is out of reach from here", code="OutOfReach")
        objects = self._objects()
        info = objects.info(uri)
        if info.size > SOURCE_BYTES:
            raise ObjectsError(f"{uri} is larger than {SOURCE_BYTES >> 20} MiB", code="TooLarge")
        folder = temporary.enter_context(tempfile.TemporaryDirectory(prefix="nestor-chat-"))
        # The ending chooses between flavours of text; the rest of the name is a stranger's.
        suffix = Path(uri).suffix
        path = Path(folder) / f"source{suffix if suffix[1:].isalnum() else ''}"
        objects.download(uri, path, etag=info.etag)
        return path


def _wants(passage: Passage, *, pictures: bool) -> bool:
    """Say whether the file itself may tell more than what is stored."""
    place = passage.moment
    if pictures and place.modality in _SEEN and passage.picture is None and not _office(place):
        return True
    if place.span.start_char is not None and place.span.end_char is not None:
        return place.span.end_char - place.span.start_char > len(place.text) + _SAME
    return place.modality == "document" and not _office(place) and len(place.text.encode()) > _MAYBE_CUT


def _office(place: Moment) -> bool:
    return place.file.lower().endswith((".docx", ".pptx"))


def _read(paths: Mapping[Path, Sequence[Passage]]) -> Iterator[tuple[Path, Reading | UnreadableFile]]:
    if not paths:
        return
    spans = {path: tuple(each.moment.span for each in passages) for path, passages in paths.items()}
    options = GlanceOptions(places=spans, timeout_seconds=LOOK_SECONDS)
    with media.ReaderPool(min(2, len(paths)), options, reader=READER) as pool:
        yield from pool.read_all(paths)


def _seen(passages: Sequence[Passage], result: Reading | UnreadableFile, *, pictures: bool) -> Iterator[Passage]:
    if isinstance(result, UnreadableFile):
        yield from (_noted(each, result) for each in passages)
        return
    for each, segment in zip(passages, result.segments, strict=True):
        yield _joined(each, segment, pictures=pictures)


def _joined(passage: Passage, segment: Segment, *, pictures: bool) -> Passage:
    stored, now = " ".join(passage.text.split()), " ".join(segment.text.split())
    if now and stored and not now.startswith(stored[:_SAME]):
        return replace(passage, note="The file says something else there now; this is what was found in it.")
    text = segment.text if len(now) > len(stored) else passage.text
    return replace(passage, text=text, picture=passage.picture or (segment.image if pictures else None))


def _noted(passage: Passage, error: NestorError) -> Passage:
    return replace(passage, note=f"Only what was stored of it is known: {plain(str(error))}")


def _bounded(passages: Iterator[Passage]) -> tuple[Passage, ...]:
    """Return the passages with what is too much taken from the end: the best come first."""
    characters, pictures, size = CONTEXT_CHARACTERS, PICTURES, PICTURES_BYTES
    kept = []
    for passage in passages:
        text = plain(passage.text).strip()[: min(PASSAGE_CHARACTERS, characters)]
        picture = passage.picture
        if picture is not None and (not pictures or len(picture) > min(PICTURE_BYTES, size)):
            picture = None
        characters -= len(text)
        if picture is not None:
            pictures, size = pictures - 1, size - len(picture)
        kept.append(replace(passage, text=text, picture=picture))
    return tuple(kept)
