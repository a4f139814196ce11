"""Audio and video."""

import io
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from nestor.domain import Modality, Reading
from nestor.errors import UnreadableFile
from nestor.media import ReadOptions, read

Make = Callable[..., Path]


def spans(reading: Reading) -> list[tuple[float | None, float | None]]:
    """Return when each segment begins and ends."""
    return [(segment.span.start_seconds, segment.span.end_seconds) for segment in reading.segments]


def colour(jpeg: bytes | None) -> tuple[int, int, int]:
    """Return red, green, blue of the middle of a picture, each 0 or 1."""
    assert jpeg is not None
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    pixel = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(pixel, tuple)
    return pixel[0] // 128, pixel[1] // 128, pixel[2] // 128


@pytest.mark.parametrize(
    ("name", "video", "audio", "content_type"),
    [
        ("a.mp4", "libx264", "aac", "video/mp4"),
        ("a.mov", "mpeg4", "aac", "video/quicktime"),
        ("a.mkv", "libx264", "libopus", "video/x-matroska"),
        ("a.webm", "libvpx", "libopus", "video/webm"),
        ("a.avi", "mpeg4", "libmp3lame", "video/x-msvideo"),
        ("silent.mp4", "libx264", None, "video/mp4"),
    ],
)
def test_a_video_gives_a_segment_and_a_picture_for_every_two_seconds(
    make_media: Make, name: str, video: str, audio: str | None, content_type: str
) -> None:
    """Segments follow each other without gaps; the picture is from within its segment, also between key frames."""
    reading = read(make_media(name, seconds=6, video=video, audio=audio), ReadOptions(segment_seconds=2))
    assert (reading.modality, reading.content_type) == (Modality.VIDEO, content_type)
    assert reading.duration_seconds == pytest.approx(6, abs=0.2)
    assert [start for start, _ in spans(reading)] == [0, 2, 4]
    assert [end for _, end in spans(reading)][:2] == [2, 4]
    seen = [colour(segment.image) for segment in reading.segments]
    assert seen[0] in {(1, 0, 0), (0, 1, 0)}  # red or lime
    assert seen[1] in {(0, 0, 1), (1, 1, 0)}  # blue or yellow
    assert seen[2] in {(1, 0, 1), (0, 1, 1)}  # magenta or cyan
    assert reading.warnings == ()


@pytest.mark.parametrize(
    ("name", "codec", "content_type"),
    [
        ("a.mp3", "libmp3lame", "audio/mpeg"),
        ("a.ogg", "libopus", "audio/ogg"),
        ("a.flac", "flac", "audio/flac"),
        ("a.m4a", "aac", "audio/mp4"),
        ("sound only.mp4", "aac", "audio/mp4"),
        ("sound only.webm", "libopus", "audio/webm"),
        ("a.aac", "aac", "audio/aac"),
        ("a.aiff", "pcm_s16be", "audio/aiff"),
    ],
)
def test_a_medium_without_pictures_is_audio(make_media: Make, name: str, codec: str, content_type: str) -> None:
    """Whatever its container can hold, a file without a video stream is audio."""
    reading = read(make_media(name, seconds=5, audio=codec), ReadOptions(segment_seconds=2))
    assert (reading.modality, reading.content_type) == (Modality.AUDIO, content_type)
    assert [start for start, _ in spans(reading)] == [0, 2, 4]
    assert spans(reading)[-1][1] == pytest.approx(5, abs=0.2)
    assert all(segment.image is None for segment in reading.segments)


def test_a_tail_of_less_than_half_a_second_joins_the_segment_before(make_wav: Make) -> None:
    """4.3 s in pieces of 2 s are two segments, not three."""
    reading = read(make_wav(seconds=4.3), ReadOptions(segment_seconds=2))
    assert spans(reading) == [(0, 2), (2, 4.3)]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mov_text"), ("a.mkv", "subrip"), ("b.mkv", "ass"), ("a.webm", "webvtt")]
)
def test_subtitles_in_the_file_go_to_the_segments_they_overlap(make_media: Make, name: str, codec: str) -> None:
    """A subtitle across a cut is in both segments."""
    cues = [(0.5, 1.0, "good morning"), (1.5, 2.5, "the tide is rising"), (4.2, 5.0, "farewell")]
    video = "libvpx" if name.endswith("webm") else "libx264"
    path = make_media(name, seconds=6, video=video, subtitles=cues, subtitle_codec=codec)
    texts = [segment.text for segment in read(path, ReadOptions(segment_seconds=2)).segments]
    assert texts == ["good morning the tide is rising", "the tide is rising", "farewell"]


@pytest.mark.parametrize(("name", "codec"), [("x.mp3", "libmp3lame"), ("x.flac", "flac"), ("x.ogg", "libopus")])
def test_tags_are_read(make_media: Make, name: str, codec: str) -> None:
    """Title, artist and album are in the text of every segment; the encoder is not."""
    tags = {"title": "Harbour song", "artist": "Ada Marsh", "album": "Tides", "encoder": "something"}
    reading = read(make_media(name, seconds=4, audio=codec, tags=tags), ReadOptions(segment_seconds=2))
    assert [segment.text for segment in reading.segments] == ["Harbour song\nAda Marsh\nTides"] * 2


def test_a_transcript_without_times_is_spread_in_proportion(make_wav: Make, tmp_path: Path) -> None:
    """Each word of it is in one segment; captions are in all."""
    path = make_wav("speech.wav", seconds=4)
    line = '{"path": "speech.wav", "transcript": "one two three four five six seven eight", "caption": "counting"}\n'
    (tmp_path / "captions.jsonl").write_text(line)
    texts = [segment.text for segment in read(path, ReadOptions(segment_seconds=1)).segments]
    assert texts == [f"{words}\ncounting\nspeech" for words in ("one two", "three four", "five six", "seven eight")]


def test_subtitles_after_the_end_are_reported(make_wav: Make) -> None:
    """Subtitles of another film are no silent loss."""
    path = make_wav("talk.wav", seconds=2)
    path.with_suffix(".srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n01:00:00,0 --> 01:00:01,0\nlate\n"
    )
    reading = read(path)
    assert reading.segments[0].text == "hello\ntalk"
    assert "1 subtitles lie after the end" in reading.warnings[0]


def test_a_turned_video_is_shown_upright(make_media: Make) -> None:
    """The rotation that a telephone writes into the file is applied to the pictures."""
    path = make_media("turned.mp4", seconds=2, video="libx264")
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    quarter_turn = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    data[matrix : matrix + 36] = b"".join(number.to_bytes(4, signed=True) for number in quarter_turn)
    path.write_bytes(data)
    image = Image.open(io.BytesIO(read(path).segments[0].image or b"")).convert("L")
    assert image.size == (48, 64)
    assert image.getpixel((24, 60)) == pytest.approx(0, abs=12), "what was on the right is now at the bottom"
    assert image.getpixel((24, 4)) != pytest.approx(0, abs=12)


def test_pictures_are_at_most_768_pixels(make_media: Make) -> None:
    """The longer side of a picture is scaled down, the shorter one in proportion."""
    path = make_media("wide.mp4", seconds=1, video="libx264", size=(1536, 256), rate=2)
    assert Image.open(io.BytesIO(read(path).segments[0].image or b"")).size == (768, 128)


def test_an_mp4_that_ends_before_its_index_is_truncated(make_media: Make) -> None:
    """The index of a plain MP4 is at its end: without it nothing can be read, and the reason says so."""
    path = make_media("film.mp4", seconds=4, video="libx264")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UnreadableFile, match="ends too early") as caught:
        read(path)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("name", ["film.mkv", "film.webm"])
def test_what_there_is_of_a_cut_video_is_read(make_media: Make, name: str) -> None:
    """Half a Matroska file gives its first half and a warning."""
    path = make_media(name, seconds=8, video="libvpx", size=(160, 120))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    reading = read(path, ReadOptions(segment_seconds=1))
    assert 2 <= (reading.duration_seconds or 0) <= 7
    assert reading.warnings
    assert reading.segments[0].image is not None


def test_an_mp4_with_its_index_first_is_read_as_far_as_it_goes(make_media: Make) -> None:
    """Streaming MP4 files keep their index in front: the first part of a cut one can be read."""
    path = make_media("film.mp4", seconds=8, video="mpeg4", size=(160, 120), options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    reading = read(path, ReadOptions(segment_seconds=1))
    assert 2 <= (reading.duration_seconds or 0) <= 7
    assert "was read" in reading.warnings[0]


def test_a_cut_wav_is_read_as_far_as_it_goes(make_wav: Make) -> None:
    """Half the samples are half the seconds."""
    path = make_wav(seconds=4)
    path.write_bytes(path.read_bytes()[:32044])
    reading = read(path, ReadOptions(segment_seconds=1))
    assert spans(reading) == [(0, 1), (1, 2)]


def test_a_medium_longer_than_the_bound_is_oversized(make_wav: Make) -> None:
    """The reason and the bound are named."""
    with pytest.raises(UnreadableFile, match="max_seconds") as caught:
        read(make_wav(seconds=5), ReadOptions(max_seconds=4))
    assert caught.value.reason == "oversized"


def test_a_video_of_too_many_pixels_is_oversized(make_media: Make) -> None:
    """The bound on pixels holds for videos as well."""
    with pytest.raises(UnreadableFile, match="max_pixels") as caught:
        read(make_media("a.mp4", seconds=1, video="libx264"), ReadOptions(max_pixels=1000))
    assert caught.value.reason == "oversized"


def test_a_header_without_sound_is_unreadable(make_wav: Make) -> None:
    """A WAV of no samples has nothing to read."""
    with pytest.raises(UnreadableFile) as caught:
        read(make_wav(seconds=0))
    assert caught.value.reason in {"truncated", "broken"}


def test_long_media_get_longer_segments(make_wav: Make) -> None:
    """1,434 segments are the most of a job: 1,500 s in pieces of 1 s become pieces of 2 s."""
    reading = read(make_wav(seconds=1500, rate=1000), ReadOptions(segment_seconds=1))
    assert len(reading.segments) == 750
    assert spans(reading)[1] == (2, 4)


def test_a_cut_ogg_is_read_with_a_warning(make_media: Make) -> None:
    """Its length is not written anywhere, but its last page is."""
    path = make_media("a.ogg", seconds=6, audio="libopus")
    assert read(path).warnings == ()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    reading = read(path)
    assert 1 < (reading.duration_seconds or 0) < 5
    assert "last page is missing" in reading.warnings[0]


def test_a_cover_does_not_make_a_song_a_video(make_media: Make, make_image: Make) -> None:
    """The picture that music shops put into MP3 files is left out."""
    path = make_media("song.mp3", seconds=1, audio="libmp3lame")
    cover = make_image("cover.jpg").read_bytes()
    body = b"\x00image/jpeg\x00\x03\x00" + cover
    frame = b"APIC" + len(body).to_bytes(4) + b"\x00\x00" + body
    length = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\x00\x00" + length + frame + path.read_bytes())
    reading = read(path)
    assert reading.modality == Modality.AUDIO
    assert reading.segments[0].image is None


def test_sound_is_read_where_the_pictures_are_damaged(make_media: Make) -> None:
    """A video whose pictures cannot be decoded is still a video with its seconds; a warning says what is missing."""
    path = make_media("film.mkv", seconds=3, video="mpeg4", audio="flac", size=(160, 120))
    with av.open(path) as container:
        pictures = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    for picture in pictures:
        data = data.replace(picture, bytes(len(picture)))
    path.write_bytes(data)
    reading = read(path, ReadOptions(segment_seconds=1))
    assert reading.modality == Modality.VIDEO
    assert [segment.image for segment in reading.segments] == [None] * 3
    assert "No picture could be decoded for 3 of 3 segments" in reading.warnings[0]


def test_undecodable_sound_is_broken(make_media: Make) -> None:
    """A file of which nothing can be heard or seen is not read as if it were silent."""
    path = make_media("song.mka", seconds=1, audio="flac")
    data = path.read_bytes().replace(b"A_FLAC", b"A_FLUC")
    path.write_bytes(data)
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert caught.value.reason in {"broken", "unsupported"}
