"""A few places of one file, read again: their text and picture. Called in a reader process of `nestor.media`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nestor import media
from nestor.domain import Modality, Reading, Segment, Span
from nestor.media.detect import check_file, detect
from nestor.media.source import Family, Source, refused

READER = f"{__name__}:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlanceOptions(media.ReadOptions):
    """Which places of which file."""

    places: Mapping[Path, tuple[Span, ...]] = field(default_factory=dict)


def read(path: Path, options: media.ReadOptions) -> Reading:
    """Return a segment for each place asked for, in their order; of office files none has anything in it.

    Raises UnreadableFile, also for a page that is no longer there.
    """
    assert isinstance(options, GlanceOptions)  # noqa: S101  # Sources sends no others
    check_file(path, max_bytes=options.max_bytes)
    kind, _ = detect(path)
    source, spans = Source(path, kind), options.places[path]
    if kind.family is Family.PDF:
        segments = _pages(source, spans, options)
    elif kind.family is Family.MEDIA:
        segments = _frames(source, spans, options)
    elif kind.family is Family.TEXT:
        segments = _texts(source, spans, options)
    elif kind.family is Family.IMAGE:
        from nestor.media.image import read_image

        (whole,) = read_image(source, options).segments
        segments = [replace(whole, text="") for _ in spans]
    else:
        segments = [Segment(place, Modality.DOCUMENT, span, "") for place, span in enumerate(spans)]
    return Reading(segments[0].modality, kind.content_type, tuple(segments))


def _texts(source: Source, spans: tuple[Span, ...], options: GlanceOptions) -> list[Segment]:
    from nestor.media.text import decoded_text

    text, _ = decoded_text(source, options)
    return [
        Segment(place, Modality.TEXT, span, text[span.start_char or 0 : span.end_char])
        for place, span in enumerate(spans)
    ]


def _pages(source: Source, spans: tuple[Span, ...], options: GlanceOptions) -> list[Segment]:
    import pypdfium2

    document = pypdfium2.PdfDocument(source.path)
    try:
        return list(_read_pages(source, document, spans, options))
    finally:
        document.close()


def _read_pages(source: Source, document: Any, spans: tuple[Span, ...], options: GlanceOptions) -> Iterator[Segment]:
    from nestor.media.jpeg import jpeg
    from nestor.media.wording import cleaned

    for place, span in enumerate(spans):
        number = span.page or 1
        if number > len(document):
            raise refused(source.path, "missing", f"it has {len(document)} pages now, and page {number} was asked for.")
        page = document[number - 1]
        text = cleaned(str(page.get_textpage().get_text_range()))
        bitmap = page.render(scale=options.image_side / max(*page.get_size(), 1.0))
        yield Segment(place, Modality.DOCUMENT, span, text, jpeg(bitmap.to_pil(), side=options.image_side))


def _frames(source: Source, spans: tuple[Span, ...], options: GlanceOptions) -> list[Segment]:
    import av

    from nestor.media.frames import pictures
    from nestor.media.timeline import timeline

    with source.path.open("rb") as file, av.open(file, mode="r", format=source.kind.format) as container:
        line = timeline(source, container, options)
        times = [(span.start_seconds or 0.0, span.end_seconds or 0.0) for span in spans]
        seen = pictures(container, line, times, []) if line.video is not None else [None] * len(spans)
    modality = Modality.AUDIO if line.video is None else Modality.VIDEO
    return [
        Segment(place, modality, span, "", picture)
        for place, (span, picture) in enumerate(zip(spans, seen, strict=True))
    ]
