"""PDF to one segment a page: its text and its picture."""

import re
import threading
from typing import Any

from nestor.domain import Modality, Reading, Segment, Span
from nestor.media import sidecars
from nestor.media.jpeg import jpeg
from nestor.media.options import ReadOptions
from nestor.media.source import Source, refused
from nestor.media.wording import cleaned, joined, readable_name

_HYPHEN = re.compile(r"[\x02\ufffe\u00ad](?:\r?\n)?")
"""PDFium's marks of a word that goes on in the next line."""
_PDFIUM = threading.Lock()
"""PDFium is not safe with several threads."""
_WRONG_PASSWORD = 4
"""FPDF_ERR_PASSWORD."""


def read_pdf(source: Source, options: ReadOptions) -> Reading:
    """Return a segment for every page; what is told beside the file goes with the first.

    A page without text gets what is known of the whole file: that, the title, the file name.

    Raises UnreadableFile: encrypted, oversized, truncated, broken.
    """
    notes = sidecars.notes(source.path)
    warnings = list(notes.warnings)
    with _PDFIUM:
        document = _open(source)
        try:
            pages = len(document)
            _check_pages(source, pages, options)
            found = [_page(document, index, options, warnings) for index in range(pages)]
            title = _title(document)
        finally:
            document.close()
    told = [*notes.descriptions, notes.transcript]
    found[0] = (joined([found[0][0], *told]) if found[0][0] else "", found[0][1])
    other = joined([*told, title, readable_name(source.path)])
    segments = tuple(
        Segment(index, Modality.DOCUMENT, Span(page=index + 1), text or other, picture)
        for index, (text, picture) in enumerate(found)
    )
    return Reading(Modality.DOCUMENT, source.kind.content_type, segments, tuple(warnings), pages=pages)


def _open(source: Source) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(source.path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _WRONG_PASSWORD:
            raise refused(
                source.path, "encrypted", "it is protected by a password. Save a copy without one."
            ) from error
        raise _damaged(source, error) from error


def _damaged(source: Source, error: Exception) -> Exception:
    with source.path.open("rb") as file:
        file.seek(-min(2048, source.path.stat().st_size), 2)
        ends = b"%%EOF" in file.read()
    if ends:
        return refused(source.path, "broken", f"the PDF cannot be opened ({error}). Save it again.")
    return refused(source.path, "truncated", "the PDF ends too early. Copy or save it again.")


def _check_pages(source: Source, pages: int, options: ReadOptions) -> None:
    if pages == 0:
        raise refused(source.path, "empty", "the PDF has no pages.")
    if pages > options.max_pages:
        raise refused(
            source.path,
            "oversized",
            f"it has {pages:,} pages, more than the {options.max_pages:,} of max_pages. Split it.",
        )


def _title(document: Any) -> str:
    return cleaned(document.get_metadata_value("Title"))


def _page(document: Any, index: int, options: ReadOptions, warnings: list[str]) -> tuple[str, bytes | None]:
    import pypdfium2

    text, picture = "", None
    try:
        page = document[index]
        try:
            text = cleaned(_HYPHEN.sub("", _page_text(page)))[: options.max_text_characters]
            picture = _picture(page, options.image_side)
        finally:
            page.close()
    except pypdfium2.PdfiumError as error:
        warnings.append(f"Page {index + 1} is damaged ({error}).")
    if not text and picture is not None and options.ocr:
        from nestor.media.ocr import letters

        text = letters(picture)
    return text, picture


def _page_text(page: Any) -> str:
    text_page = page.get_textpage()
    try:
        return str(text_page.get_text_range())
    finally:
        text_page.close()


def _picture(page: Any, side: int) -> bytes | None:
    width, height = page.get_size()
    if min(width, height) <= 0:
        return None
    bitmap = page.render(scale=side / max(width, height))
    try:
        return jpeg(bitmap.to_pil(), side=side)
    finally:
        bitmap.close()
