"""Word and PowerPoint files: text in reading order."""

import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from nestor.domain import Modality, Reading, Segment, Span
from nestor.media import sidecars
from nestor.media.options import ReadOptions
from nestor.media.source import Family, Source, refused, sized
from nestor.media.text import text_segments
from nestor.media.wording import cleaned, joined, readable_name

MAX_PART_BYTES = 128 << 20
"""One XML part, unpacked: its tree takes ten times as much memory."""
MAX_PARTS = 20_000


def read_office(source: Source, options: ReadOptions) -> Reading:
    """Return the text of a Word file cut like a text, or one segment a slide.

    Raises UnreadableFile: oversized (also what would unpack to too much), encrypted, empty, broken.
    """
    _check_archive(source, options)
    if source.kind.family is Family.PPTX:
        return _read_slides(source, options)
    text = docx_text(source)
    segments = tuple(text_segments(source, text, options, modality=Modality.DOCUMENT))
    return Reading(Modality.DOCUMENT, source.kind.content_type, segments)


def _check_archive(source: Source, options: ReadOptions) -> None:
    with zipfile.ZipFile(source.path) as archive:
        parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise refused(source.path, "encrypted", "it is protected by a password. Save a copy without one.")
    xml = max((part.file_size for part in parts if part.filename.lower().endswith((".xml", ".rels"))), default=0)
    total = sum(part.file_size for part in parts)
    if total > options.max_bytes or xml > MAX_PART_BYTES or len(parts) > MAX_PARTS:
        raise refused(
            source.path,
            "oversized",
            f"it unpacks to {sized(total)} in {len(parts):,} parts (at most {sized(options.max_bytes)} of max_bytes, "
            f"{sized(MAX_PART_BYTES)} in one part). Split it, or save it as PDF.",
        )


def docx_text(source: Source) -> str:
    """Return the text that positions count in: headers, then paragraphs and tables in their order, then footers."""
    import docx

    document = docx.Document(str(source.path))
    headers: list[str] = []
    footers: list[str] = []
    for section in document.sections:
        headers.extend(_blocks(section.header.iter_inner_content()))
        footers.extend(_blocks(section.footer.iter_inner_content()))
    parts = [*dict.fromkeys(headers), *_blocks(document.iter_inner_content()), *dict.fromkeys(footers)]
    return "\n\n".join(parts)


def _blocks(content: Iterable[Any]) -> Iterator[str]:
    for block in content:
        text = block.text if hasattr(block, "runs") else _table(block)
        if text.strip():
            yield text


def _table(table: Any) -> str:
    return "\n".join(filter(None, (" | ".join(_cells(row)) for row in table.rows)))


def _cells(row: Any) -> Iterator[str]:
    """Yield the texts of a row; a merged cell, which python-docx repeats, once."""
    previous = None
    for cell in row.cells:
        if cell._tc is not previous:  # noqa: SLF001  # python-docx has no public identity of a merged cell
            previous = cell._tc  # noqa: SLF001
            text = " ".join(" ".join(_blocks(cell.iter_inner_content())).split())
            if text:
                yield text


def _read_slides(source: Source, options: ReadOptions) -> Reading:
    import pptx

    slides = pptx.Presentation(str(source.path)).slides
    count = len(slides)
    if count == 0:
        raise refused(source.path, "empty", "it has no slides.")
    if count > options.max_pages:
        raise refused(
            source.path, "oversized", f"it has {count:,} slides, more than the {options.max_pages:,} of max_pages."
        )
    notes = sidecars.notes(source.path)
    told = joined([*notes.descriptions, notes.transcript, readable_name(source.path)])
    texts = [_slide(slide)[: options.max_text_characters] for slide in slides]
    texts[0] = joined([texts[0], *notes.descriptions, notes.transcript]) if texts[0] else ""
    segments = tuple(
        Segment(index, Modality.DOCUMENT, Span(page=index + 1), text or told) for index, text in enumerate(texts)
    )
    return Reading(Modality.DOCUMENT, source.kind.content_type, segments, notes.warnings, pages=count)


def _slide(slide: Any) -> str:
    parts = list(_shapes(slide.shapes))
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        parts.append(slide.notes_slide.notes_text_frame.text)
    return cleaned("\n".join(parts))


def _shapes(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            yield from (" | ".join(cell.text for cell in row.cells if cell.text) for row in shape.table.rows)
        elif getattr(shape, "has_chart", False) and shape.chart.has_title:
            yield shape.chart.chart_title.text_frame.text
