"""Text files: decoding, cutting, positions."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestor.domain import Modality, Reading
from nestor.errors import UnreadableFile
from nestor.media import ReadOptions, plan, read
from nestor.media.cut import cut
from nestor.media.decode import NotText, decode
from nestor.media.markup import visible_text

WORDS = st.lists(
    st.text(alphabet=st.sampled_from('abcäß語🙂\u0301\u200d.!? \n\t",'), min_size=1, max_size=40), max_size=120
)
FLAVOURS = st.sampled_from(["plain", "csv", "json", "markdown"])


@given(words=WORDS, limit=st.integers(20, 200), flavour=FLAVOURS)
def test_pieces_hold_all_but_blank_text_in_order_within_the_limit(words: list[str], limit: int, flavour: str) -> None:
    """No overlap, no loss, no piece too long or blank at its ends, whatever the script."""
    text = " ".join(words)
    pieces = list(cut(text, limit=limit, flavour=flavour))
    at = 0
    for start, end in pieces:
        assert text[at:start].strip() == ""
        assert 0 < end - start <= limit
        assert text[start:end] == text[start:end].strip()
        at = end
    assert text[at:].strip() == ""


@given(length=st.integers(0, 200_000), limit=st.integers(800, 1000))
def test_a_text_never_has_more_than_1900_segments(length: int, limit: int) -> None:
    """The plan leaves room for pieces that are cut early at a boundary."""
    text = ("word " * (length // 5 + 1))[:length].strip() * 30
    most = plan.segment_characters(len(text), asked=limit)
    assert sum(1 for _ in cut(text, limit=most)) <= plan.MAX_TEXT_SEGMENTS


@pytest.mark.parametrize(
    ("text", "flavour", "first"),
    [
        ("a" * 70 + ".\n\n" + "b" * 15 + ". " + "c" * 60, "plain", "a" * 70 + "."),
        ("a" * 70 + ". " + "b" * 60, "plain", "a" * 70 + "."),
        ("a" * 70 + " " + "b" * 60, "plain", "a" * 70),
        ("a" * 130, "plain", "a" * 100),
        ("x" * 60 + ',"two\nlines",3\n' + "y" * 60, "csv", "x" * 60 + ',"two\nlines",3'),
        ('{"a": "one. two. ' + "b" * 60 + '"}\n{"b": 1}\n' + "c" * 60, "json", None),
    ],
    ids=["paragraph", "sentence", "word", "hard", "row", "line"],
)
def test_the_best_boundary_near_the_end_is_taken(text: str, flavour: str, first: str | None) -> None:
    """Paragraph before sentence before line before word; rows and lines whole in tables and JSON."""
    start, end = next(iter(cut(text, limit=100, flavour=flavour)))
    assert text[start:end] == (first if first is not None else text[: text.rindex("\n")])


def test_an_accent_stays_with_its_letter() -> None:
    """Where nothing better is found, a cut does not go through a character written as two."""
    text = "e\u0301" * 100
    assert all(text[start] == "e" for start, _ in cut(text, limit=51))


def text_file(tmp_path: Path, name: str, data: bytes) -> Path:
    """Write a file."""
    path = tmp_path / name
    path.write_bytes(data)
    return path


LONG = "".join(f"Line {i} -- größer als 'naïve' 語.\r\n" for i in range(400))


def texts_at(reading: Reading, text: str) -> list[str]:
    """Return what lies at the positions of the segments."""
    return [text[segment.span.start_char : segment.span.end_char] for segment in reading.segments]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_positions_are_exact_in_every_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    """The decoded text between the positions is the segment's text; line ends are not rewritten."""
    text = LONG if encoding not in {"utf-16-le", "utf-16-be"} else LONG.replace("語", "x")
    reading = read(text_file(tmp_path, "a.txt", text.encode(encoding)))
    assert len(reading.segments) > 5
    assert texts_at(reading, text) == [segment.text for segment in reading.segments]
    assert [segment.index for segment in reading.segments] == list(range(len(reading.segments)))
    assert reading.warnings == ()


def test_western_text_is_read_with_a_warning(tmp_path: Path) -> None:
    """Windows-1252 is guessed, and said to be a guess."""
    reading = read(text_file(tmp_path, "a.txt", "Müller “naïve” café".encode("cp1252")))
    assert reading.segments[0].text == "Müller “naïve” café"
    assert "Windows-1252" in reading.warnings[0]


def test_one_bad_byte_does_not_garble_the_rest() -> None:
    """Mostly UTF-8 stays UTF-8."""
    text, warnings = decode("größer 語 naïve ".encode() * 3 + b"\xff end")
    assert text.startswith("größer 語")
    assert warnings


def test_a_text_cut_within_its_last_character_loses_only_that() -> None:
    """A half character at the end is dropped, with a warning."""
    text, warnings = decode("größe ß".encode()[:-1])
    assert text == "größe "
    assert "cut off" in warnings[0]


@given(st.binary(max_size=300))
def test_whatever_is_decoded_can_be_written_again(data: bytes) -> None:
    """No lone surrogates come out, and nothing but NotText is raised."""
    try:
        text, _ = decode(data)
    except NotText:
        return
    text.encode()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\t ", "empty"),
        ("a.txt", bytes(range(256)) * 10, "unsupported"),
        ("a.txt", b"\x00" * 100, "unsupported"),
        ("a.txt", "Ж".encode("cp1251") * 100, "unsupported"),
        ("a.html", b"<html><script>var a = 1</script></html>", "empty"),
        ("a.bin", b"\x7fELF\x02\x01\x01" + bytes(60), "unsupported"),
        ("a.rtf", b"{\\rtf1 hello}", "unsupported"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """Nothing to search in, or nothing that can be told from binary data."""
    with pytest.raises(UnreadableFile) as caught:
        read(text_file(tmp_path, name, data))
    assert caught.value.reason == reason


def test_junk_after_a_readable_start_is_refused(tmp_path: Path) -> None:
    """A file that only begins like a text is found out when all of it is decoded."""
    with pytest.raises(UnreadableFile, match="begins like a text") as caught:
        read(text_file(tmp_path, "a.log", b"header\n" * 2000 + bytes(range(256)) * 500))
    assert caught.value.reason == "unsupported"


def test_a_text_over_the_bound_is_oversized(tmp_path: Path) -> None:
    """Both the cheap check by bytes and the exact one by characters name the bound."""
    for text in ("x" * 1001, "x" * 9000):
        with pytest.raises(UnreadableFile, match="max_text_characters") as caught:
            read(text_file(tmp_path, "a.txt", text.encode()), ReadOptions(max_text_characters=1000))
        assert caught.value.reason == "oversized"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.md", "text/markdown"),
        ("a.csv", "text/csv"),
        ("a.json", "application/json"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.py", "text/plain"),
        ("noname", "text/plain"),
    ],
)
def test_the_extension_chooses_between_flavours_of_text(tmp_path: Path, name: str, content_type: str) -> None:
    """All of them are text; the content type says which."""
    reading = read(text_file(tmp_path, name, b"a,b\n1,2\n"))
    assert (reading.modality, reading.content_type) == (Modality.TEXT, content_type)


def test_rows_of_a_table_are_kept_whole(tmp_path: Path) -> None:
    """Every segment of a CSV file begins and ends with a row, also where a field has line ends in it."""
    rows = [f'{i},"a field\nof two lines with some words in it",{i * i}' for i in range(200)]
    reading = read(text_file(tmp_path, "a.csv", "\n".join(rows).encode()))
    assert "\n".join(segment.text for segment in reading.segments) == "\n".join(rows)
    assert all(segment.text.count('"') % 2 == 0 for segment in reading.segments)


def test_a_web_page_is_what_one_sees_of_it() -> None:
    """Scripts, styles and comments are left out; blocks stand on lines of their own; entities are resolved."""
    page = (
        "<!doctype html><html><head><title>Tides</title><style>p {}</style><script>if (a < b) c()</script></head>"
        "<body><h1>High &amp; low</h1><p>The <b>moon</b>\n pulls.<br>Twice.</p><!-- no -->"
        "<ul><li>ebb<li>flood</ul><table><tr><td>a</td><td>b</td></tr></table><img alt='a pier'></body></html>"
    )
    text = visible_text(page)
    assert " ".join(text.split()) == "Tides High & low The moon pulls. Twice. ebb flood a b a pier"
    assert "The moon pulls.\nTwice." in text
    assert "High & low\n\n" in text


def test_positions_in_a_web_page_count_in_its_visible_text(tmp_path: Path) -> None:
    """They can be checked against what `visible_text` gives."""
    page = "<html><body>" + "".join(f"<p>Paragraph {i} on the sea.</p>" for i in range(200)) + "</body></html>"
    reading = read(text_file(tmp_path, "page", page.encode()))
    assert reading.content_type == "text/html"
    assert texts_at(reading, visible_text(page)) == [segment.text for segment in reading.segments]


@given(st.text(alphabet="<>!/[]-abp \"'=&;#x\n", max_size=200))
def test_no_broken_markup_fails(page: str) -> None:
    """Whatever stands between angle brackets, text comes out."""
    visible_text(page).encode()
