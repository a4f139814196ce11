"""One page of a PDF as a picture, drawn in a reader process: the file is as untrusted as when it was ingested."""

from dataclasses import dataclass
from pathlib import Path

from nestor import media
from nestor.domain import Modality, Reading, Segment, Span
from nestor.errors import UnreadableFile
from nestor.media.detect import check_file

PAGE_SIDE = media.LARGE_IMAGE_SIDE
"""Pixels of the longer side."""
_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions(media.ReadOptions):
    """Which page."""

    page: int = 1


def page_jpeg(path: Path, page: int) -> bytes:
    """Return the page, counted from 1, as JPEG. Raises UnreadableFile, also for a page that there is not."""
    options = PageOptions(page=page, image_side=PAGE_SIDE, timeout_seconds=_SECONDS)
    with media.ReaderPool(1, options, reader=f"{__name__}:read_page") as pool:
        ((_, result),) = pool.read_all([path])
    if isinstance(result, UnreadableFile):
        raise UnreadableFile(str(result).replace(str(path), path.name), reason=result.reason)
    return result.segments[0].image or b""


def read_page(path: Path, options: media.ReadOptions) -> Reading:
    """Return the page as the one segment of a reading; called in a reader process."""
    import pypdfium2

    from nestor.media.jpeg import jpeg

    assert isinstance(options, PageOptions)  # noqa: S101  # page_jpeg sends no others
    check_file(path, max_bytes=options.max_bytes)
    document = pypdfium2.PdfDocument(path)
    if options.page > len(document):
        raise UnreadableFile(f"{path.name} has {len(document)} pages.", reason="missing")
    page = document[options.page - 1]
    bitmap = page.render(scale=options.image_side / max(*page.get_size(), 1.0))
    picture = jpeg(bitmap.to_pil(), side=options.image_side)
    segment = Segment(0, Modality.DOCUMENT, Span(page=options.page), "", picture)
    return Reading(Modality.DOCUMENT, "application/pdf", (segment,))
