"""One pass over the packets of a medium: how long it really is, and the subtitles in it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from nestor.media.kinds import AVI, M4A, MOV, MP4, OGG, WAV
from nestor.media.options import ReadOptions
from nestor.media.source import Source, refused
from nestor.media.subtitles import Cue, plain

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

_MICROSECONDS = 1_000_000
_ASS_FIELDS = 8
"""An ASS event has eight fields before its text."""
_LONGEST_PAGE = 65_307
_END_OF_STREAM = 4
"""Flag in the sixth byte of an Ogg page."""
_TRIED_PACKETS = 100
"""A stream of which so many packets in a row give nothing is taken for undecodable."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What lies when."""

    duration: float
    origin: float
    """The time stamp, in seconds, that counts as 0."""
    video: "VideoStream | None"
    audio: "AudioStream | None"
    cues: tuple[Cue, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Pass:
    """What the pass has seen so far, in seconds of the file's own time stamps."""

    start: float | None = None
    end: float = 0.0
    damaged: bool = False


def timeline(source: Source, container: "InputContainer", options: ReadOptions) -> Timeline:
    """Return what lies when. Raises UnreadableFile: oversized, truncated (nothing left to read), broken."""
    video, audio = _streams(source, container, options)
    declared = (container.duration or 0) / _MICROSECONDS
    _check_seconds(source, declared, options)
    seen = _Pass()
    cues = list(_packets(container, [video, audio], seen))
    if seen.start is None:
        raise refused(source.path, "truncated", "it ends before the first sound or picture. Copy or save it again.")
    begins = cast("int | None", container.start_time)
    origin = seen.start if begins is None else begins / _MICROSECONDS
    duration, warnings = _length(declared, seen.end - origin, seen)
    if not warnings and lacks_last_page(source):
        warnings = ("Its last page is missing: it may be cut off. What is there was read.",)
    _check_seconds(source, duration, options)
    if video is None and not _decodes(container, audio):
        raise refused(source.path, "broken", "no sound in it can be decoded. Copy or convert it again.")
    moved = tuple(Cue(max(0.0, cue.start - origin), max(0.0, cue.end - origin), cue.text) for cue in cues)
    return Timeline(duration, origin, video, audio, moved, warnings)


def _streams(
    source: Source, container: "InputContainer", options: ReadOptions
) -> "tuple[VideoStream | None, AudioStream | None]":
    from av.stream import Disposition

    video = next(
        (
            stream
            for stream in container.streams.video
            if _known(stream) and not stream.disposition & Disposition.attached_pic
        ),
        None,
    )
    audio = next((stream for stream in container.streams.audio if _known(stream)), None)
    if video is None and audio is None:
        raise refused(source.path, "unsupported", "it has neither sound nor pictures that can be decoded.")
    if video is not None and video.codec_context.width * video.codec_context.height > options.max_pixels:
        raise refused(
            source.path,
            "oversized",
            f"its pictures have {video.codec_context.width:,} x {video.codec_context.height:,} pixels, "
            f"more than the {options.max_pixels:,} of max_pixels. Scale it down.",
        )
    return video, audio


def _known(stream: Any) -> bool:
    """Say whether FFmpeg has a decoder for it; without one PyAV gives no codec context, against its types."""
    return stream.codec_context is not None


def _check_seconds(source: Source, seconds: float, options: ReadOptions) -> None:
    if seconds > options.max_seconds:
        raise refused(
            source.path,
            "oversized",
            f"it lasts {seconds:,.0f} s, more than the {options.max_seconds:,.0f} s of max_seconds. Split it.",
        )


def _packets(container: "InputContainer", media: Iterable[Any], seen: _Pass) -> Iterator[Cue]:
    """Yield the subtitles and note when sound and pictures begin and end. Damage ends the pass."""
    import av

    wanted = [stream for stream in media if stream is not None]
    texts = [stream for stream in container.streams.subtitles if _known(stream)]
    try:
        for packet in container.demux(*wanted, *texts):
            at = packet.pts if packet.pts is not None else packet.dts
            if at is None or not packet.size:
                continue
            start = float(at * packet.time_base)
            end = start + float((packet.duration or 0) * packet.time_base)
            if packet.stream.type == "subtitle":
                yield from _cues(packet, start, end)
            else:
                seen.damaged |= packet.is_corrupt
                seen.start = start if seen.start is None else min(seen.start, start)
                seen.end = max(seen.end, end)
    except av.FFmpegError:
        seen.damaged = True


def _cues(packet: Any, start: float, end: float) -> Iterator[Cue]:
    import av

    try:
        subtitles = packet.decode()
    except (av.FFmpegError, ValueError):
        return
    for subtitle in subtitles:
        if subtitle.type != b"bitmap" and (said := plain(_spoken(subtitle))):
            yield Cue(start, end, said)


def _spoken(subtitle: Any) -> str:
    """Return the text field of an ASS event, in which FFmpeg hands over every kind of subtitle."""
    event = subtitle.ass.decode("utf-8", "replace")
    fields = event.split(",", _ASS_FIELDS)
    return str(fields[-1]) if len(fields) > _ASS_FIELDS else str(subtitle.text.decode("utf-8", "replace"))


def _length(declared: float, measured: float, seen: _Pass) -> tuple[float, tuple[str, ...]]:
    """Choose between what the header says and what the packets say; they may differ by a second or 2 %."""
    near = max(1.0, declared * 0.02)
    damaged = ("Parts of it are damaged; what could be read was read.",) if seen.damaged else ()
    if declared and abs(declared - measured) <= near:
        return declared, damaged
    if declared > measured:
        return max(measured, 0.001), (f"It ends after {measured:.1f} of {declared:.1f} s; what is there was read.",)
    wild_time_stamps = declared > 0 and measured > 2 * declared + 60
    return (declared if wild_time_stamps else measured), damaged


def _decodes(container: "InputContainer", stream: "AudioStream | None") -> bool:
    import av

    if stream is None:
        return False
    container.seek(0)
    for tried, packet in enumerate(container.demux(stream)):
        try:
            if packet.decode():
                return True
        except av.FFmpegError:
            pass
        if tried > _TRIED_PACKETS:
            break
    return False


def ends_early(source: Source) -> bool:
    """Say whether the outermost boxes of an MP4, or the RIFF of a WAV or AVI, promise more than the file has."""
    with source.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if source.kind in {WAV, AVI}:
            return int.from_bytes(file.read(8)[4:], "little") + 8 > size
        if source.kind not in {MP4, MOV, M4A}:
            return False
        at, boxes = 0, set()
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            boxes.add(head[4:8])
            length = int.from_bytes(head[:4])
            length = {0: size - at, 1: int.from_bytes(head[8:16])}.get(length, length)
            at += max(8, length)
        return at != size or b"moov" not in boxes


def lacks_last_page(source: Source) -> bool:
    """Say whether it is an Ogg file whose last page does not say that it is the last."""
    if source.kind != OGG:
        return False
    with source.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(-min(size, _LONGEST_PAGE), os.SEEK_END)
        end = file.read()
    page = end[end.rfind(b"OggS") :]
    return len(page) < 6 or not page[5] & _END_OF_STREAM
