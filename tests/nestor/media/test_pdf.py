"""PDF."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nestor.domain import Modality, Span
from nestor.errors import UnreadableFile
from nestor.media import ReadOptions, read

Make = Callable[..., Path]


def test_a_page_is_a_segment_with_its_text_and_picture(make_pdf: Make) -> None:
    """Pages count from 1; pictures are at most 768 pixels and show the page."""
    reading = read(make_pdf(pages=["Ebb tide", "Flood tide"]))
    assert (reading.modality, reading.content_type, reading.pages) == (Modality.DOCUMENT, "application/pdf", 2)
    assert [(segment.span, segment.text) for segment in reading.segments] == [
        (Span(page=1), "Ebb tide"),
        (Span(page=2), "Flood tide"),
    ]
    image = Image.open(io.BytesIO(reading.segments[0].image or b"")).convert("L")
    assert max(image.size) == 768
    shades = image.tobytes()
    assert min(shades) < 64, "there is ink on the page"
    assert max(shades) == 255


def test_a_page_without_text_tells_what_is_known_of_the_file(make_pdf: Make, tmp_path: Path) -> None:
    """Caption, title and file name stand in; of pages with text only the first gets the caption too."""
    (tmp_path / "tide_table.pdf.txt").write_text("Harbour clock 1901")
    reading = read(make_pdf("tide_table.pdf", pages=["", "Ebb"], title="Almanac"))
    assert [segment.text for segment in reading.segments] == ["Harbour clock 1901\nAlmanac\ntide table", "Ebb"]
    reading = read(make_pdf("tide_table.pdf", pages=["Flood", "Ebb"]))
    assert [segment.text for segment in reading.segments] == ["Flood\nHarbour clock 1901", "Ebb"]


def test_a_protected_pdf_is_encrypted(make_pdf: Make) -> None:
    """The reason is the password, not damage."""
    standard = f"<< /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >>"
    with pytest.raises(UnreadableFile, match="password") as caught:
        read(make_pdf(encrypt=standard))
    assert caught.value.reason == "encrypted"


def test_too_many_pages_are_oversized(make_pdf: Make) -> None:
    """The bound is named."""
    with pytest.raises(UnreadableFile, match="max_pages") as caught:
        read(make_pdf(pages=["x"] * 4), ReadOptions(max_pages=3))
    assert caught.value.reason == "oversized"


def test_a_cut_pdf_is_truncated(make_pdf: Make) -> None:
    """So little that not even a repair finds a page."""
    path = make_pdf()
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert caught.value.reason == "truncated"


def test_a_broken_pdf_is_broken(tmp_path: Path) -> None:
    """It ends as it should, but nothing in it makes sense."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + b"nonsense\n" * 50 + b"%%EOF")
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert caught.value.reason == "broken"
