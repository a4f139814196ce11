"""Segments as small files of their own."""

import io
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from nestor.domain import Modality, Reading
from nestor.media import ReaderPool, ReadOptions, fingerprint, read

Make = Callable[..., Path]
CLIPS = ReadOptions(clips=True, segment_seconds=2)
FORMS = {Modality.VIDEO: "mov,mp4,m4a,3gp,3g2,mj2", Modality.AUDIO: "mp3"}


def opened(clip: bytes | None) -> Any:
    """Return the clip, open."""
    assert clip is not None
    return av.open(io.BytesIO(clip))


def colours(clip: bytes | None) -> list[tuple[int, int, int]]:
    """Return red, green, blue of the middle of every picture of a clip, each 0 or 1."""
    with opened(clip) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    middles = [picture[picture.shape[0] // 2, picture.shape[1] // 2] // 128 for picture in pictures]
    return [(int(red), int(green), int(blue)) for red, green, blue in middles]


def seconds(clip: bytes | None, kind: str) -> float:
    """Return how long the decoded track lasts, from the start of the clip to its end."""
    with opened(clip) as container:
        frames = list(container.decode(**{kind: 0}))
        if kind == "audio":
            return float(sum(frame.samples for frame in frames) / frames[0].sample_rate)
        return float(frames[-1].time + 1 / 15)


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mkv", "libx264", "libopus"),
        ("a.webm", "libvpx", "libopus"),
        ("a.avi", "mpeg4", "libmp3lame"),
        ("silent.mp4", "libx264", None),
    ],
)
def test_a_clip_shows_the_seconds_of_its_segment(make_media: Make, name: str, video: str, audio: str | None) -> None:
    """Each second has a colour of its own: a clip has its two and no other, whatever the key frames; an MP4 always."""
    reading = read(make_media(name, seconds=6, video=video, audio=audio), CLIPS)
    assert reading.warnings == ()
    wanted = [[(1, 0, 0), (0, 1, 0)], [(0, 0, 1), (1, 1, 0)], [(1, 0, 1), (0, 1, 1)]]
    for segment, two in zip(reading.segments, wanted, strict=True):
        seen = colours(segment.clip)
        edge = 1 if name == "a.avi" else 0  # its time stamps are one picture late
        assert list(dict.fromkeys(seen[edge:])) == two
        assert len(seen) >= 16
        assert seconds(segment.clip, "video") == pytest.approx(2, abs=0.12)
        with opened(segment.clip) as container:
            assert container.format.name == FORMS[Modality.VIDEO]
            assert len(container.streams.audio) == (audio is not None)
        if audio:
            assert seconds(segment.clip, "audio") == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", "libmp3lame"), ("a.ogg", "libopus"), ("a.flac", "flac"), ("a.m4a", "aac"), ("a.wav", "pcm_s16le")],
)
def test_a_clip_of_sound_is_an_mp3_of_its_seconds(make_media: Make, name: str, codec: str) -> None:
    """Whatever the medium was; the parts together are as long as the whole."""
    reading = read(make_media(name, seconds=5, audio=codec), CLIPS)
    assert reading.warnings == ()
    lengths = [seconds(segment.clip, "audio") for segment in reading.segments]
    assert lengths == pytest.approx([2, 2, 1], abs=0.12)
    for segment in reading.segments:
        with opened(segment.clip) as container:
            assert container.format.name == FORMS[Modality.AUDIO]
            assert container.streams.audio[0].layout.name == "mono"


def test_sound_is_cut_to_the_sample(tmp_path: Path) -> None:
    """A loud second between two silent ones is in its clip and in no other."""
    rate = 8_000
    loud = (8_000 * np.sin(np.arange(rate) * 0.5)).astype("<i2")
    path = tmp_path / "loud.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.concatenate([np.zeros(rate, "<i2"), loud, np.zeros(rate, "<i2")]).tobytes())
    reading = read(path, ReadOptions(clips=True, segment_seconds=1))
    powers = []
    for segment in reading.segments:
        with opened(segment.clip) as container:
            sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]).astype(float)
        powers.append(float(np.abs(sound[2_000:-2_000]).mean()))
    assert powers[1] > 20 * max(powers[0], powers[2])


def test_clips_are_small(make_media: Make) -> None:
    """At most 640 pixels on the longer side, at most fifteen pictures a second, even where the file has sixty."""
    path = make_media("wide.mp4", seconds=2, video="libx264", size=(1280, 720), rate=60)
    (segment,) = read(path, CLIPS).segments
    with opened(segment.clip) as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == (640, 360)
    assert 20 <= len(colours(segment.clip)) <= 31


def test_a_turned_video_gives_an_upright_clip(make_media: Make) -> None:
    """As a player turns it, and as the picture of the segment is: a quarter of it is black, on one side."""
    from PIL import Image

    path = make_media("turned.mp4", seconds=2, video="libx264", size=(320, 160))
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    path.write_bytes(content)
    (segment,) = read(path, CLIPS).segments
    picture = Image.open(io.BytesIO(segment.image or b""))
    with opened(segment.clip) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert first.shape[:2] == (320, 160) == picture.size[::-1]
    dark = [bool(rows.max() < 64) for rows in (first[:40], first[-40:])]
    shown = np.asarray(picture)
    assert dark == [bool(rows.max() < 64) for rows in (shown[:40], shown[-40:])]
    assert sorted(dark) == [False, True]


@pytest.fixture
def make_both(make_media: Make, tmp_path: Path) -> Make:
    """Return a function that writes an MP4 whose pictures and sound last for different times."""

    def make(*, pictures: float, sound: float) -> Path:
        parts = make_media("p.mp4", seconds=pictures, video="libx264"), make_media("s.mp4", seconds=sound, audio="aac")
        path = tmp_path / "both.mp4"
        with av.open(parts[0]) as seen, av.open(parts[1]) as heard, av.open(path, "w") as out:
            sources: tuple[Any, ...] = (seen.streams.video[0], heard.streams.audio[0])
            tracks = [out.add_stream_from_template(each) for each in sources]
            for container, track in zip((seen, heard), tracks, strict=True):
                for packet in container.demux():
                    if packet.dts is not None:
                        packet.stream = track
                        out.mux(packet)
        return path

    return make


def test_sound_that_ends_early_leaves_silence(make_both: Make) -> None:
    """Pictures of six seconds and sound of three: the last clip has both tracks all the same."""
    last = read(make_both(pictures=6, sound=3), CLIPS).segments[-1].clip
    assert seconds(last, "audio") == pytest.approx(2, abs=0.1)
    assert colours(last)[0] == (1, 0, 1)


def test_pictures_that_end_early_stand_still(make_both: Make) -> None:
    """Pictures of three seconds and sound of six: the last clip shows the last one."""
    reading = read(make_both(pictures=3, sound=6), CLIPS)
    assert reading.warnings == ()
    last = reading.segments[-1].clip
    assert set(colours(last)) == {(0, 0, 1)}
    assert seconds(last, "video") == pytest.approx(2, abs=0.1)
    assert seconds(last, "audio") == pytest.approx(2, abs=0.1)


def test_sound_before_the_first_picture_is_kept(root: Path) -> None:
    """A real file whose first packets are sound: its first clip has all five seconds of it."""
    (first, *_) = read(root / "samples/videos/nasa.mp4", ReadOptions(clips=True)).segments
    assert seconds(first.clip, "audio") == pytest.approx(5, abs=0.03)


def test_a_segment_of_more_than_thirty_seconds_has_a_clip_of_thirty(make_media: Make) -> None:
    """A tail of less than half a second joins its segment, and Nova takes thirty seconds and no more."""
    path = make_media("long.mp4", seconds=30.4, video="mpeg4", audio="aac", rate=5)
    (segment,) = read(path, ReadOptions(clips=True, segment_seconds=30)).segments
    assert segment.span.end_seconds == pytest.approx(30.4, abs=0.1)
    with opened(segment.clip) as container:
        assert container.duration <= 30_000_000


def test_a_cut_off_file_gives_the_clips_that_it_can(make_media: Make) -> None:
    """What is not there has no clip, and a warning says how much; nothing is raised."""
    path = make_media("whole.mkv", seconds=8, video="libx264", audio="libopus", options={"cluster_time_limit": "500"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reading = read(path, CLIPS)
    assert reading.segments[0].clip is not None
    assert reading.warnings
    assert all(segment.clip for segment in reading.segments[:-1])


def test_what_comes_after_damage_has_its_clip(make_media: Make) -> None:
    """The middle of the file is noise: what comes after it has its clips, and what has none is counted."""
    path = make_media("noise.mp4", seconds=8, audio="libmp3lame")
    content = bytearray(path.read_bytes())
    start, end = len(content) // 3, len(content) // 2
    content[start:end] = np.random.default_rng(1).bytes(end - start)
    path.write_bytes(content)
    reading = read(path, CLIPS)
    lost = sum(segment.clip is None for segment in reading.segments)
    told = [warning for warning in reading.warnings if "No clip" in warning]
    assert len(told) == (lost > 0)
    assert all(f"{lost} of {len(reading.segments)} segments" in warning for warning in told)
    assert reading.segments[-1].clip is not None
    assert seconds(reading.segments[-1].clip, "audio") == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("seed", range(8))
def test_damage_costs_clips_and_never_the_file(root: Path, tmp_path: Path, seed: int) -> None:
    """Bytes changed by chance: what can be read without clips can be read with them, in the same segments."""
    random = np.random.default_rng(seed)
    names = ("videos/nasa.mp4", "audio/jfk.mp3", "audio/novel.wav", "videos/flower.mp4")
    original = root / "samples" / names[seed % len(names)]
    content = bytearray(original.read_bytes())
    for at in random.integers(500, len(content), 10 ** (1 + seed // 4)):
        content[at] = random.integers(256)
    path = tmp_path / original.name
    path.write_bytes(content)
    without = read(path, ReadOptions(segment_seconds=2))
    reading = read(path, CLIPS)
    assert [each.span for each in reading.segments] == [each.span for each in without.segments]
    lost = any(segment.clip is None for segment in reading.segments)
    assert any("No clip" in warning for warning in reading.warnings) == lost


def test_the_time_is_bounded(make_media: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """When three fifths of the time are over, the rest has no clips, and the warning says what to do."""
    path = make_media("a.mp4", seconds=6, video="libx264", audio="aac")
    times = iter(range(10_000))
    monkeypatch.setattr("nestor.media.clips.time", SimpleNamespace(monotonic=lambda: float(next(times))))
    reading = read(path, ReadOptions(clips=True, segment_seconds=1, timeout_seconds=60))
    made = [segment.clip is not None for segment in reading.segments]
    assert made[0]
    assert not made[-1]
    lost = made.count(False)
    assert f"No clip could be made of {lost} of 6 segments in 36 s; allow more --timeout-seconds." in reading.warnings


def test_a_broken_encoder_costs_the_clip(make_wav: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A WAV where the MP3 encoder is missing; no clip and a warning where encoding fails."""
    monkeypatch.setattr("nestor.media.clip._writes", lambda _: False)
    (segment, *_) = read(make_wav(seconds=3), CLIPS).segments
    assert segment.clip is not None
    assert segment.clip.startswith(b"RIFF")
    assert seconds(segment.clip, "audio") == pytest.approx(2, abs=0.01)

    def fail(*_: Any) -> None:
        raise ValueError("the encoder gave up")

    monkeypatch.setattr("nestor.media.clip.Clip._write_sound", fail)
    reading = read(make_wav(seconds=3), CLIPS)
    assert all(segment.clip is None for segment in reading.segments)
    assert "No clip could be made of 2 of 2 segments." in reading.warnings


def test_clips_come_through_the_pool(make_media: Make, make_wav: Make) -> None:
    """The same bytes as in this process; none where they were not asked for."""
    paths = [make_media("a.mp4", seconds=3, video="libx264", audio="aac"), make_wav(seconds=3)]
    with ReaderPool(1, CLIPS) as pool:
        for path, there in pool.read_all(paths):
            assert isinstance(there, Reading)
            here = read(path, CLIPS)
            assert [each.clip is not None for each in there.segments] == [True] * len(here.segments)
            assert [len(each.clip or b"") for each in there.segments] == [
                len(each.clip or b"") for each in here.segments
            ]
            assert all(each.clip is None for each in read(path).segments)


def test_pages_and_pictures_can_be_larger(make_image: Make, root: Path) -> None:
    """As large as asked for on the longer side; a small picture is not blown up."""
    from PIL import Image

    large = ReadOptions(image_side=1_568)
    for path in (root / "samples/pdf/nbgrader.pdf", make_image("wide.png", size=(2_000, 1_000))):
        for options, side in ((ReadOptions(), 768), (large, 1_568)):
            picture = read(path, options).segments[0].image
            assert picture is not None
            assert max(Image.open(io.BytesIO(picture)).size) == side
    small = read(make_image("small.png", size=(100, 50)), large).segments[0].image
    assert small is not None
    assert Image.open(io.BytesIO(small)).size == (100, 50)


def test_what_is_asked_for_shapes_the_fingerprint(make_wav: Make) -> None:
    """Asking for clips is a change; not asking for them gives the fingerprint of ever."""
    path = make_wav()
    assert fingerprint(path) == fingerprint(path, ReadOptions(clips=False, image_side=768))
    assert len({fingerprint(path, options) for options in (None, CLIPS, ReadOptions(clips=True))}) == 3
