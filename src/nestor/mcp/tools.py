"""The four tools over an open library. None of them changes anything."""

import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nestor import media
from nestor.errors import InvalidInput, UnreadableFile
from nestor.mcp.shapes import (
    EXCERPT_CHARACTERS,
    RESULT_BYTES,
    Arguments,
    AssetsArguments,
    AssetsResult,
    CompareArguments,
    CompareResult,
    Place,
    SearchArguments,
    SearchResult,
    SegmentArguments,
    SegmentResult,
    SizeResult,
    asset,
    fitting,
    place,
    too_deep,
)
from nestor.moments import moment
from nestor.opened import OpenLibrary, filter_of, opened
from nestor.search import Found, agreement
from nestor.settings import Settings
from nestor.strategies.matching import predicate

IMAGE_BYTES = 1_000_000
"""Of a picture as JPEG; a third more as Base64. Clients refuse larger messages."""
_COMPARED_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool gives."""

    result: BaseModel
    image: bytes | None = None
    """JPEG."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as it is listed, and what runs it; `run` raises NestorError."""

    name: str
    title: str
    description: str
    takes: type[Arguments]
    gives: type[BaseModel]
    run: Callable[[OpenLibrary, Any], Answer]


class Shelf:
    """The library, opened when it is first asked for; a failure is tried again the next time."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._lock = threading.Lock()
        self._library: OpenLibrary | None = None
        self._closing = ExitStack()

    def library(self) -> OpenLibrary:
        """Return it, open for reading, so that others may write meanwhile."""
        with self._lock:
            if self._library is None:
                self._library = self._closing.enter_context(opened(self._settings, read_only=True))
            return self._library

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._closing.close()


def search(library: OpenLibrary, asked: SearchArguments) -> Answer:
    """Answer one question."""
    found = library.found(
        asked.words,
        dimension=asked.dimension,
        top_k=asked.top_k,
        strategy=asked.strategy,
        where=_where(asked),
    )
    hits, left_out = _places(found, EXCERPT_CHARACTERS, RESULT_BYTES)
    took_ms = found.took_ms["total"]
    return Answer(
        SearchResult(strategy=found.strategy, dimension=found.dimension, took_ms=took_ms, hits=hits, left_out=left_out)
    )


def compare(library: OpenLibrary, asked: CompareArguments) -> Answer:
    """Answer one question at every size."""
    found = library.compare(asked.words, top_k=asked.top_k, strategy=asked.strategy, where=_where(asked))
    room = RESULT_BYTES // len(found)
    sizes = []
    for each in found:
        hits, left_out = _places(each, _COMPARED_CHARACTERS, room)
        sizes.append(
            SizeResult(
                dimension=each.dimension,
                took_ms=round(each.vectors_ms, 3),
                agreement=round(agreement(each, found[-1]), 4),
                hits=hits,
                left_out=left_out,
            )
        )
    return Answer(CompareResult(strategy=found[0].strategy, sizes=sizes))


def get_segment(library: OpenLibrary, asked: SegmentArguments) -> Answer:
    """Show one segment."""
    found = library.segment(asked.key)
    image = library.picture(found) if asked.with_image else None
    if image is not None and len(image) > IMAGE_BYTES:
        image = smaller(image)
    return Answer(SegmentResult(segment=place(found), image=image is not None), image)


def smaller(picture: bytes) -> bytes:
    """Return the picture with at most 768 pixels a side, which stays below IMAGE_BYTES. Raises UnreadableFile.

    It is read in a reader process: what once was a stranger's file is no safer for having been kept.
    """
    with tempfile.TemporaryDirectory() as folder, media.ReaderPool(1) as pool:
        path = Path(folder, "picture.jpg")
        path.write_bytes(picture)
        ((_, read),) = pool.read_all([path])
    if isinstance(read, UnreadableFile):
        message = str(read).replace(str(path), "The picture of this segment")
        raise UnreadableFile(f"{message} Ask without the image.", reason=read.reason)
    return read.segments[0].image or b""


def list_assets(library: OpenLibrary, asked: AssetsArguments) -> Answer:
    """Show a page of what is stored."""
    matching = [
        each
        for each in library.assets()
        if asked.modality in {None, each.modality} and asked.collection in {None, each.collection}
    ]
    rest = [each for each in matching if asked.after is None or each.uri > asked.after]
    page = fitting([asset(each) for each in rest[: asked.limit]])
    following = page[-1].uri if len(page) < len(rest) else None
    return Answer(AssetsResult(total=len(matching), assets=page, next=following))


TOOLS = (
    Tool(
        "search",
        "Search the library",
        "Find the moments in the user's text, documents, images, audio and video that are nearest in meaning to some "
        "words: file, page or seconds, similarity and an excerpt.",
        SearchArguments,
        SearchResult,
        search,
    ),
    Tool(
        "compare",
        "Compare the embedding sizes",
        "Ask one question at 256, 384, 1024 and 3072 components: hits, milliseconds, and agreement with the largest.",
        CompareArguments,
        CompareResult,
        compare,
    ),
    Tool(
        "get_segment",
        "Look at one segment",
        "Give the whole stored text of a hit, and the image, the page or the video's keyframe as a picture.",
        SegmentArguments,
        SegmentResult,
        get_segment,
    ),
    Tool(
        "list_assets",
        "List the stored files",
        "List the files of the library with status, modality, number of segments, collection and tags.",
        AssetsArguments,
        AssetsResult,
        list_assets,
    ),
)


def _places(found: Found, characters: int, room: int) -> tuple[list[Place], int]:
    hits = fitting([place(moment(hit), characters=characters) for hit in found.hits], room=room)
    return hits, len(found.hits) - len(hits)


def _where(asked: SearchArguments | CompareArguments) -> dict[str, Any] | None:
    if too_deep(asked.filter):
        raise InvalidInput("The filter is nested too deeply: join conditions with one $and or $or.")
    document = filter_of(asked.filter)
    predicate(document)  # refuses in words what the service calls an invalid filter
    parts = [dict(document)] if document else []
    if asked.collection is not None:
        parts.append({"collection": asked.collection})
    return {"$and": parts} if len(parts) > 1 else next(iter(parts), None)
