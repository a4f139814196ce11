"""Word and PowerPoint files."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nestor.domain import Modality, Span
from nestor.errors import UnreadableFile
from nestor.media import ReadOptions, read
from nestor.media.kinds import DOCX
from nestor.media.office import docx_text
from nestor.media.source import Source

Make = Callable[..., Path]


def test_a_word_file_is_read_in_order_with_tables_and_headers(make_docx: Make) -> None:
    """The header first, then paragraphs and tables as they stand."""
    reading = read(make_docx())
    assert reading.modality == Modality.DOCUMENT
    assert reading.content_type.endswith("wordprocessingml.document")
    assert reading.segments[0].text == (
        "Harbour office\n\nFirst.\n\nSecond.\n\nship | tons\nAda | 900\n\nAfter the table."
    )


def test_positions_in_a_word_file_are_exact(make_docx: Make) -> None:
    """They count in the text that `docx_text` gives."""
    path = make_docx(paragraphs=[f"Paragraph {i} tells of ships." for i in range(300)])
    text = docx_text(Source(path, DOCX))
    reading = read(path)
    assert len(reading.segments) > 5
    for segment in reading.segments:
        assert text[segment.span.start_char : segment.span.end_char] == segment.text


def test_a_slide_is_a_segment_with_notes_and_tables(make_pptx: Make) -> None:
    """Slides count as pages, from 1."""
    reading = read(make_pptx())
    assert (reading.modality, reading.pages) == (Modality.DOCUMENT, 2)
    assert [(segment.span, segment.text) for segment in reading.segments] == [
        (Span(page=1), "Tides\nSay more of Tides"),
        (Span(page=2), "Moon\nspring | neap\nSay more of Moon"),
    ]


def test_slides_have_bounds(make_pptx: Make) -> None:
    """None is empty, too many are oversized."""
    with pytest.raises(UnreadableFile) as caught:
        read(make_pptx(titles=()))
    assert caught.value.reason == "empty"
    with pytest.raises(UnreadableFile, match="max_pages") as caught:
        read(make_pptx(titles=["a", "b"]), ReadOptions(max_pages=1))
    assert caught.value.reason == "oversized"


@pytest.mark.parametrize("part", ["word/styles2.xml", "word/media/picture.png"])
def test_what_would_unpack_to_too_much_is_never_unpacked(make_docx: Make, part: str) -> None:
    """A zip bomb is refused by the sizes in its directory, in all or of one part."""
    path = make_docx()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(part, bytes(130 << 20))
    assert path.stat().st_size < 2 << 20
    with pytest.raises(UnreadableFile, match="unpacks to") as caught:
        read(path, ReadOptions(max_bytes=(512 if part.endswith("xml") else 128) << 20))
    assert caught.value.reason == "oversized"


def test_a_cut_office_file_is_truncated(make_docx: Make) -> None:
    """The directory of a zip is at its end."""
    path = make_docx()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert caught.value.reason == "truncated"


def test_a_word_file_without_its_parts_is_broken(tmp_path: Path) -> None:
    """It has a document, but nothing says which."""
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("word/document.xml", "<nonsense")
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path / "a.docx")
    assert caught.value.reason == "broken"
