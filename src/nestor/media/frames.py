"""A picture for each segment of a video."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nestor.media.jpeg import jpeg
from nestor.media.options import IMAGE_SIDE
from nestor.media.timeline import Timeline

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from PIL.Image import Image

_PIXELS_DECODED = 12_000_000_000
"""For the whole file: about a minute on one core. A long video gets pictures from further before the middle."""
_DAMAGED_PACKETS = 500
"""In a row; then the search for a picture ends."""


def pictures(
    container: "InputContainer", line: Timeline, spans: Sequence[tuple[float, float]], warnings: list[str]
) -> list[bytes | None]:
    """Return a JPEG from near the middle of each span; None, and a warning, where nothing can be decoded."""
    assert line.video is not None  # noqa: S101  # the caller's promise
    frame_pixels = max(1, line.video.codec_context.width * line.video.codec_context.height)
    frames = max(1, _PIXELS_DECODED // (frame_pixels * len(spans)))
    line.video.codec_context.thread_count = 1
    seen = [_picture(container, line, span, frames) for span in spans]
    lost = sum(picture is None for picture in seen)
    if lost:
        warnings.append(f"No picture could be decoded for {lost} of {len(spans)} segments.")
    return seen


def _picture(container: "InputContainer", line: Timeline, span: tuple[float, float], frames: int) -> bytes | None:
    import av

    try:
        frame = _frame(container, line, span, frames)
        return None if frame is None else _jpeg(frame)
    except (av.FFmpegError, ValueError):
        return None


def _frame(container: "InputContainer", line: Timeline, span: tuple[float, float], frames: int) -> "VideoFrame | None":
    """Return a frame from the second quarter of the span, or the nearest before it that the budget allows."""
    stream = line.video
    assert stream is not None  # noqa: S101  # the caller's promise
    middle = (span[0] + span[1]) / 2
    earliest = line.origin + middle - (span[1] - span[0]) / 4
    _seek(container, stream, line.origin + middle)
    best = None
    for count, frame in enumerate(_decoded(container, stream), 1):
        best = frame
        if frame.pts is None or frame.time >= earliest or count >= frames:
            break
    return best


def _seek(container: "InputContainer", stream: "VideoStream", seconds: float) -> None:
    """Go to the key frame before; where the file has no index, to its start."""
    import av

    try:
        container.seek(round(seconds / (stream.time_base or 1)), stream=stream)
    except av.FFmpegError:
        container.seek(0)


def _decoded(container: "InputContainer", stream: "VideoStream") -> Iterator["VideoFrame"]:
    import av

    damaged = 0
    for packet in container.demux(stream):
        try:
            found = packet.decode()
        except av.FFmpegError:
            damaged += 1
            if damaged > _DAMAGED_PACKETS:
                return
            continue
        damaged = 0
        yield from found


def _jpeg(frame: "VideoFrame") -> bytes:
    scale = min(1.0, IMAGE_SIDE / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    image: Image = frame.to_image(width=width, height=height)  # type: ignore[no-untyped-call]
    return jpeg(image.rotate(frame.rotation, expand=True) if frame.rotation else image)
