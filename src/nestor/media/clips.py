"""Each segment of sound or video as a small file of its own: one pass over the medium, decoded and encoded anew.

Packets could be copied, but only from one key frame to another, which lie up to ten seconds apart.
"""

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nestor.media.clip import RATE, Clip, Shape, shape_of
from nestor.media.source import Source
from nestor.media.timeline import Timeline

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler, VideoFrame
    from av.container import InputContainer

Spans = Sequence[tuple[float, float]]

_SHARE = 0.6
"""Of the time that a file may take, for its clips."""
_SLACK = 10.0
"""Seconds that sound and pictures of the same moment may lie apart in the file; it bounds how many clips are open."""
_DAMAGED_PACKETS = 500
"""In a row; then the pass ends."""
_JUMP = 0.1
"""Seconds that sound may be off its time stamps before it follows them."""
_NEAR = 1.0
"""Seconds that the last clip may lack: headers are rounded."""
_LONGEST = 30.0
"""Seconds of one embedding of Nova; the last segment of a medium may be half a second longer."""
_EARLY = 2_000
"""Frames of sound kept until the first picture comes."""
_FAST = 20
"""Pictures a second above which those that no other is built on are not even decoded."""


def clips(
    source: Source, line: Timeline, spans: Spans, warnings: list[str], *, timeout_seconds: float
) -> list[bytes | None]:
    """Return for each span an MP4 or, where there are no pictures, an MP3 (WAV without that encoder).

    None, and a warning, where it cannot be decoded or the time is up: three fifths of timeout_seconds.
    """
    import av

    cutter = _Cutter(line, [(start, min(end, start + _LONGEST)) for start, end in spans])
    deadline = time.monotonic() + _SHARE * timeout_seconds
    try:
        with (
            source.path.open("rb") as file,
            av.open(file, mode="r", format=source.kind.format, metadata_errors="replace") as container,
        ):
            _pass(container, line, cutter, deadline)
    except (av.FFmpegError, ValueError):
        pass  # what was cut before is there, the rest is counted below
    made = cutter.finish()
    if lost := sum(clip is None for clip in made):
        late = (
            f" in {_SHARE * timeout_seconds:g} s; allow more --timeout-seconds" if time.monotonic() > deadline else ""
        )
        warnings.append(f"No clip could be made of {lost} of {len(spans)} segments{late}.")
    return made


def _pass(container: "InputContainer", line: Timeline, cutter: "_Cutter", deadline: float) -> None:
    streams = [container.streams[each.index] for each in (line.video, line.audio) if each is not None]
    for stream in streams:
        stream.codec_context.thread_count = 1
        if stream.type == "video" and (stream.average_rate or 0) > _FAST:
            stream.codec_context.skip_frame = "NONREF"
    for kind, frame in _frames(container, streams):
        if kind == "video":
            cutter.picture(frame)
        else:
            cutter.sound(frame)
        if cutter.complete or time.monotonic() > deadline:
            return


def _frames(container: "InputContainer", streams: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    import av

    damaged = 0
    for packet in container.demux(*streams):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            if damaged > _DAMAGED_PACKETS:
                return
            continue
        damaged = 0
        yield from ((packet.stream.type, frame) for frame in frames)


class _Cutter:
    """Hands each frame to the clip that it belongs to, and closes clips when nothing more can belong to them."""

    def __init__(self, line: Timeline, spans: Spans) -> None:
        self._origin = line.origin
        self._spans = spans
        self._shape: Shape | None = None
        self._early: list[AudioFrame] = []
        """Sound that comes before the first picture tells the shape of the clips."""
        self._at = {kind: 0.0 for kind, there in (("video", line.video), ("audio", line.audio)) if there is not None}
        self._open: dict[int, Clip] = {}
        self._made: dict[int, bytes | None] = {}
        self._still: VideoFrame | None = None
        self._resampler: AudioResampler | None = None
        self._next_sound: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every clip is closed."""
        return len(self._made) == len(self._spans)

    def picture(self, frame: "VideoFrame") -> None:
        """Take the next picture."""
        if frame.pts is None:
            return
        if self._shape is None:
            self._shape = shape_of(frame, seconds=self._spans[-1][1], sound="audio" in self._at)
            for early in self._early:
                self.sound(early)
        at = max(0.0, frame.time - self._origin)
        if (clip := self._clip(at)) is not None:
            clip.picture(frame, at)
        self._still = frame
        self._passed("video", at)

    def sound(self, frame: "AudioFrame") -> None:
        """Take the next sound."""
        if self._shape is None and "video" in self._at:
            self._early += [frame][: _EARLY - len(self._early)]
            return
        for even in self._resampled(frame):
            at = self._sound_at(even)
            samples = even.to_ndarray()[0]
            self._next_sound = at + len(samples) / RATE
            self._spread(samples, at)
            self._passed("audio", self._next_sound)

    def finish(self) -> list[bytes | None]:
        """Close what is open and return all clips; the last one open ends where the medium does, or where it broke."""
        ended = max(self._at.values(), default=0.0)
        for index in sorted(self._open):
            clip = self._open.pop(index)
            if ended >= self._spans[index][1] - _NEAR:
                self._made[index] = clip.finish()
            else:
                clip.give_up()
        return [self._made.get(index) for index in range(len(self._spans))]

    def _clip(self, at: float) -> Clip | None:
        index = bisect_right(self._spans, at, key=lambda span: span[1])
        if index == len(self._spans) or index in self._made:
            return None
        if index not in self._open:
            self._open[index] = Clip(self._spans[index], shape=self._shape, still=self._still)
        return self._open[index]

    def _passed(self, kind: str, at: float) -> None:
        self._at[kind] = max(self._at[kind], at)
        sure, latest = min(self._at.values()), max(self._at.values()) - _SLACK
        for index in [index for index in self._open if self._spans[index][1] <= max(sure, latest)]:
            self._made[index] = self._open.pop(index).finish()

    def _resampled(self, frame: "AudioFrame") -> "list[AudioFrame]":
        from av import AudioResampler

        if self._resampler is None:
            self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        try:
            return self._resampler.resample(frame)
        except ValueError:  # from here on the sound has another rate or other channels
            self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
            return self._resampler.resample(frame)

    def _sound_at(self, frame: "AudioFrame") -> float:
        expected = self._next_sound
        if frame.time is None:
            return expected or 0.0
        told = frame.time - self._origin
        return told if expected is None or abs(told - expected) > _JUMP else expected

    def _spread(self, samples: Any, at: float) -> None:
        """Cut the samples at the bounds of the spans."""
        if at < 0:
            samples, at = samples[round(-at * RATE) :], 0.0
        while len(samples):
            index = bisect_right(self._spans, at, key=lambda span: span[1])
            if index == len(self._spans):
                return
            count = max(1, round((self._spans[index][1] - at) * RATE))
            if (clip := self._clip(at)) is not None:
                clip.sound(samples[:count])
            samples, at = samples[count:], self._spans[index][1]
