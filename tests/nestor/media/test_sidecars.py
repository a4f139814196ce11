"""What lies beside a file, and subtitles."""

import json
import os
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestor.media import is_sidecar, read
from nestor.media.sidecars import notes
from nestor.media.subtitles import Cue, parse, spread
from nestor.media.wording import cleaned, joined, readable_name

Make = Callable[..., Path]


def captions(folder: Path, *entries: object) -> Path:
    """Write captions.jsonl."""
    path = folder / "captions.jsonl"
    path.write_text("".join((entry if isinstance(entry, str) else json.dumps(entry)) + "\n" for entry in entries))
    return path


def text_of(path: Path) -> str:
    """Return the text of the first segment."""
    return read(path).segments[0].text


def test_a_caption_beside_a_picture_comes_first(make_image: Make, tmp_path: Path) -> None:
    """Then what captions.jsonl says in its order of fields, then the file name."""
    path = make_image("harbour_wall.png")
    (tmp_path / "harbour_wall.png.txt").write_text("A wall in the sea\n")
    entry = {
        "path": "harbour_wall.png",
        "caption": "Stones",
        "captions": ["Stones", "Grey stones"],
        "title": "The wall",
        "description": "Built in 1901",
        "context": "Harbours",
        "keywords": ["stone", "sea"],
        "tags": "old",
        "license": "CC0",
    }
    captions(tmp_path, entry)
    assert text_of(path).split("\n") == [
        "A wall in the sea",
        "The wall",
        "Stones",
        "Grey stones",
        "Built in 1901",
        "Harbours",
        "stone, sea",
        "old",
        "harbour wall",
    ]


def test_captions_are_found_up_to_three_folders_above(make_image: Make, tmp_path: Path) -> None:
    """The nearest file that names the picture wins; four folders above is too far."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    path = make_image("1.png").rename(deep / "1.png")
    captions(tmp_path, {"path": "a/b/c/1.png", "caption": "from afar"})
    assert text_of(path) == "from afar"
    captions(deep.parent, {"path": "./c/1.png", "caption": "from near"})
    assert text_of(path) == "from near"
    deeper = deep / "d"
    deeper.mkdir()
    captions(tmp_path, {"path": "a/b/c/d/2.png", "caption": "too far"})
    assert not text_of(path.rename(deeper / "2.png"))


def test_bad_lines_are_a_warning_for_files_without_a_line(make_image: Make, tmp_path: Path) -> None:
    """What was meant for the file may be in them; files that have their line are not bothered."""
    captions(tmp_path, "{not json", [1], {"caption": "no path"}, {"path": "1.png", "caption": 7, "tags": [None, "ok"]})
    assert read(make_image("1.png")).warnings == ()
    assert text_of(tmp_path / "1.png") == "ok"
    warning = read(make_image("2.png")).warnings[0]
    assert "3 of the lines" in warning
    assert "line 1" in warning


def test_changed_captions_are_read_again(make_image: Make, tmp_path: Path) -> None:
    """The cache goes by the time of the last change."""
    path = make_image("1.png")
    for number, words in enumerate(("before", "after!")):
        file = captions(tmp_path, {"path": "1.png", "caption": words})
        os.utime(file, (number, number))
        assert text_of(path) == words


def test_lone_surrogates_and_control_characters_are_dropped(make_image: Make, tmp_path: Path) -> None:
    """JSON can spell characters that no UTF-8 can hold."""
    captions(tmp_path, '{"path": "1.png", "caption": "sea\\ud800\\u0000 side"}')
    assert text_of(make_image("1.png")) == "sea side"


@pytest.mark.parametrize(
    "subtitles",
    [
        "WEBVTT\n\n00:00.500 --> 00:01.000\nhello\n\n00:02.500 --> 00:03.000\nthere",
        [{"start": 0.5, "end": 1, "text": "hello"}, {"start": 2.5, "end": 3, "text": "there"}, {"start": "x"}],
        "hello there",
    ],
    ids=["vtt", "list", "plain"],
)
def test_subtitles_in_captions(make_wav: Make, tmp_path: Path, subtitles: object) -> None:
    """With times they go to their segments; without they are spread."""
    from nestor.media import ReadOptions

    path = make_wav("00001.wav", seconds=4)
    captions(tmp_path, {"path": "00001.wav", "subtitles": subtitles})
    assert [segment.text for segment in read(path, ReadOptions(segment_seconds=2)).segments] == ["hello", "there"]


def test_subtitle_files_in_several_languages_are_all_read(make_wav: Make, tmp_path: Path) -> None:
    """`film.srt` first, then `film.de.vtt`; other films' are not."""
    path = make_wav("00002.wav", seconds=2)
    (tmp_path / "00002.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\n<i>Hello</i>\n")
    (tmp_path / "00002.de.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nHallo\n")
    (tmp_path / "00003.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nNo\n")
    assert text_of(path) == "Hello Hallo"


def test_what_is_a_sidecar(make_image: Make, make_wav: Make, tmp_path: Path) -> None:
    """Only beside the file it tells about; a text of its own is none."""
    make_image("a.jpg")
    make_wav("b.wav")
    (tmp_path / "d.docx").write_text("a Word file speaks for itself")
    names = [
        "a.jpg.txt",
        "d.docx.txt",
        "c.jpg.txt",
        "b.srt",
        "b.en.vtt",
        "b.wav.vtt",
        "a.srt",
        "notes.txt",
        "captions.jsonl",
    ]
    for name in names:
        (tmp_path / name).write_text("text")
    assert [name for name in names if is_sidecar(tmp_path / name)] == [
        "a.jpg.txt",
        "b.srt",
        "b.en.vtt",
        "b.wav.vtt",
        "captions.jsonl",
    ]


def test_a_sidecar_that_is_no_text_is_a_warning(make_image: Make, tmp_path: Path) -> None:
    """The picture is read all the same."""
    path = make_image("1.png")
    (tmp_path / "1.png.txt").write_bytes(bytes(range(256)))
    assert "1.png.txt" in read(path).warnings[0]


SRT = """\ufeff1\r
00:00:01,000 --> 00:00:02,500\r
<b>First</b> line\r
second &amp; line\r
\r
garbage\r
\r
3\r
1:00:00.5 --> 1:00:01.75 align:start\r
{\\an8}Last\r
"""


def test_subtitles_are_parsed_and_stripped_of_markup() -> None:
    """Commas or points, hours or none, settings after the times, blank lines and garbage between."""
    assert parse(SRT) == (Cue(1, 2.5, "First line second & line"), Cue(3600.5, 3601.75, "Last"))
    assert parse("WEBVTT\n\nNOTE x\n\nSTYLE\n::cue {}\n\nid\n00:01.000 --> 00:02.000\n<v Ada>Hi</v>") == (
        Cue(1, 2, "Hi"),
    )
    assert parse("00:02.000 --> 00:01.000\nbackwards\n\n00:03.000 --> 00:04.000\n\n") == ()


TIMES = st.floats(0, 100)


@given(times=st.lists(st.tuples(TIMES, st.floats(0, 20)), max_size=20))
def test_a_cue_is_in_every_segment_it_overlaps(times: list[tuple[float, float]]) -> None:
    """And in no other; those beyond the end are counted."""
    spans = [(float(start), start + 5.0) for start in range(0, 60, 5)]
    cues = [Cue(start, start + length, f"cue{number}.") for number, (start, length) in enumerate(times)]
    said, outside = spread(cues, spans)
    assert outside == sum(cue.start >= 60 for cue in cues)
    for words, (start, end) in zip(said, spans, strict=True):
        wanted = [cue.text for cue in cues if cue.start < end and (cue.end > start or start == cue.start)]
        assert words.split() == wanted


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("holiday_in-Rome_2019.jpg", "holiday in Rome 2019"),
        ("IMG_1234.jpg", ""),
        ("000000012280.jpg", ""),
        ("DSC00012.JPG", ""),
        ("PXL_20240102_030405.mp4", ""),
        ("3f2504e04f8911d39a0c0305e82c3301.png", ""),
        ("LJ001-0001.wav", ""),
        ("sunset%20at%20sea.v2.png", "sunset at sea v2"),
        ("Zürich.jpg", "Zürich"),
        ("海.png", "海"),
        ("a.png", ""),
    ],
)
def test_a_name_is_made_readable(name: str, words: str) -> None:
    """Words stay, numbers of cameras and ids go."""
    assert readable_name(PurePath(name)) == words


@given(st.text())
def test_cleaned_text_is_stable_and_can_be_written(text: str) -> None:
    """Cleaning twice changes nothing."""
    once = cleaned(text)
    assert cleaned(once) == once
    once.encode()


def test_what_was_said_already_is_not_repeated() -> None:
    """A part that an earlier one contains is left out."""
    assert joined(["a red ship", "red ship", "", "a blue ship"]) == "a red ship\na blue ship"


def test_captions_are_cut_at_line_feeds_alone(tmp_path: Path) -> None:
    """JSON strings may hold what Unicode calls the end of a line; Windows ends lines with two characters."""
    picture = tmp_path / "a.jpg"
    lines = ['{"path": "b.jpg"}', '{"path": "a.jpg", "caption": "one\u2028two\u0085three"}', ""]
    (tmp_path / "captions.jsonl").write_bytes("\r\n".join(lines).encode())
    assert notes(picture).descriptions == ("one\u2028two\u0085three",)
    assert notes(picture).warnings == ()


def test_a_name_too_long_for_a_sidecar_has_none(tmp_path: Path) -> None:
    """255 characters are a file's, but not with four more."""
    picture = tmp_path / ("x" * 251 + ".jpg")
    picture.write_bytes(b"")
    assert notes(picture).descriptions == ()
    assert not is_sidecar(tmp_path / ("x" * 251 + ".srt"))
