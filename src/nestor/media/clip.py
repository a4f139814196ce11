"""One clip: a small MP4 with H.264 and AAC, or an MP3."""

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

RATE = 44_100
"""Samples of sound a second, in one channel."""
_SIDE = 640
"""Pixels on the longer side."""
_PICTURES = 15
"""A second, at most."""
_MILLISECONDS = 1_000
_SOUND_BITS = 64_000
"""A second."""
_PICTURE_BITS = (100_000, 400_000)
"""A second; the fewer, the longer the medium, so that the clips of two hours have about 256 MB."""
_ALL_BITS = (256 << 20) * 8


@dataclass(frozen=True, slots=True)
class Shape:
    """What all clips of one video have in common."""

    width: int
    height: int
    rotation: int
    """Degrees by which a player turns the pictures, and the clip has them turned."""
    bits: int
    """Of pictures, a second."""
    sound: bool


def shape_of(frame: "VideoFrame", *, seconds: float, sound: bool) -> Shape:
    """Return the shape of the clips of a video of that length, of which this is the first picture."""
    scale = min(1.0, _SIDE / max(frame.width, frame.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (frame.width, frame.height))
    low, high = _PICTURE_BITS
    bits = round(min(high, max(low, _ALL_BITS / seconds - _SOUND_BITS)))
    if frame.rotation % 180:
        width, height = height, width
    return Shape(width, height, frame.rotation, bits, sound)


class Clip:
    """One file being written: from [start, end) of the medium, with pictures where there is a shape."""

    def __init__(self, span: tuple[float, float], *, shape: Shape | None, still: "VideoFrame | None" = None) -> None:
        """Begin; `still` is the picture that is still seen when it begins."""
        import av

        self._start, self._end = span
        self._shape, self._still = shape, still
        self._out = io.BytesIO()
        self._last_picture = -1.0
        self._samples = 0
        self._broken = False
        kind, codec = ("mp4", "aac") if shape else _sound_format()
        self._container = av.open(self._out, "w", format=kind)
        self._pictures: Any = None if shape is None else self._add_pictures(shape)
        self._sound: Any = None
        if shape is None or shape.sound:
            self._sound = self._container.add_stream(codec, rate=RATE, layout="mono")
            self._sound.bit_rate = _SOUND_BITS

    def picture(self, frame: "VideoFrame", at: float) -> None:
        """Add a picture of the medium's second `at`, unless the one before is less than a fifteenth older."""
        too_soon = at < self._last_picture + 0.95 / _PICTURES
        too_late = at > self._end - 1 / _PICTURES and self._last_picture >= 0  # it would be seen beyond the end
        if too_soon or too_late or self._shape is None:
            return
        self._last_picture = at
        self._attempt(lambda: self._write_picture(frame, at))

    def sound(self, samples: "NDArray[np.int16]") -> None:
        """Add sound after what was added before."""
        self._attempt(lambda: self._write_sound(samples))

    def finish(self) -> bytes | None:
        """Return the file; None when nothing could be written."""
        self._attempt(self._fill)
        self._attempt(self._flush)
        return self._closed()

    def give_up(self) -> None:
        """Let go of it: what was added is not all."""
        self._broken = True
        self._closed()

    def _add_pictures(self, shape: Shape) -> Any:
        codec = _picture_codec()
        stream: Any = self._container.add_stream(codec, rate=_PICTURES)
        stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _MILLISECONDS)
        stream.codec_context.thread_count = 1
        stream.bit_rate = shape.bits
        if codec == "libx264":
            most = str(shape.bits)
            stream.options = {"preset": "ultrafast", "maxrate": most, "bufsize": most}
        return stream

    def _write_picture(self, frame: "VideoFrame", at: float) -> None:
        from av.video.frame import PictureType

        shape = cast(Shape, self._shape)
        if shape.rotation:
            turned = frame.to_image().rotate(shape.rotation, expand=True)  # type: ignore[no-untyped-call]
            frame = type(frame).from_image(turned)  # type: ignore[no-untyped-call]
        small = frame.reformat(width=shape.width, height=shape.height, format="yuv420p")
        small.pts = round((at - self._start) * _MILLISECONDS)
        small.time_base = Fraction(1, _MILLISECONDS)
        small.pict_type = PictureType.NONE  # what was a key frame there is none here
        self._container.mux(self._pictures.encode(small))

    def _write_sound(self, samples: "NDArray[np.int16]") -> None:
        import av

        if self._sound is None:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = self._samples
        self._samples += samples.size
        self._container.mux(self._sound.encode(frame))

    def _fill(self) -> None:
        """Give it what it lacks: the picture that stood still, silence."""
        if self._shape is not None and self._last_picture < 0:
            if self._still is None:
                self._broken = True
                return
            for at in (self._start, max(self._start, self._end - 1 / _PICTURES)):
                self._write_picture(self._still, at)
        if self._sound is not None and not self._samples:
            self._write_sound(np.zeros(round((self._end - self._start) * RATE), np.int16))

    def _flush(self) -> None:
        for stream in (self._pictures, self._sound):
            if stream is not None:
                self._container.mux(stream.encode(None))

    def _attempt(self, step: Any) -> None:
        import av

        if self._broken:
            return
        try:
            step()
        except (av.FFmpegError, ValueError):
            self._broken = True

    def _closed(self) -> bytes | None:
        import av

        try:
            self._container.close()
        except (av.FFmpegError, ValueError):
            self._broken = True
        return None if self._broken else self._out.getvalue() or None


def _picture_codec() -> str:
    return "libx264" if _writes("libx264") else "mpeg4"


def _sound_format() -> tuple[str, str]:
    return ("mp3", "libmp3lame") if _writes("libmp3lame") else ("wav", "pcm_s16le")


def _writes(codec: str) -> bool:
    """Say whether this FFmpeg has the encoder: some are built without it."""
    import av

    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
