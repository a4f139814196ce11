"""Audio and video to segments of some seconds: what is said in each, what is told of the whole, a picture of each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nestor.domain import Modality, Reading, Segment, Span
from nestor.media import plan, sidecars
from nestor.media.frames import pictures
from nestor.media.options import ReadOptions
from nestor.media.source import Source, refused
from nestor.media.subtitles import Cue, spread
from nestor.media.timeline import Timeline, ends_early, timeline
from nestor.media.wording import cleaned, joined, readable_name

if TYPE_CHECKING:
    from av import FFmpegError
    from av.container import InputContainer

Spans = Sequence[tuple[float, float]]

_TAGS = (
    "title",
    "artist",
    "album",
    "show",
    "comment",
    "description",
    "synopsis",
    "genre",
    "keywords",
    "lyrics",
    "composer",
    "date",
)
_END_OF_FILE = 541478725
"""AVERROR_EOF: FFmpeg wanted more than there is."""
_ENCODERS = ("processed by", "created with", "encoded by", "lavf", "lavc", "handbrake")


def read_media(source: Source, options: ReadOptions) -> Reading:
    """Return one segment for every `segment_seconds`, a picture of its middle with it where there is video.

    The text of a segment is first what is said in it (subtitles beside or inside the file; of a transcript without
    times the words in proportion to the seconds), then captions, tags and file name, which every segment repeats.
    Where the options ask for clips, each segment has its seconds as a file of its own.

    Raises UnreadableFile: truncated, broken, oversized. What can still be read of a cut file is read, with a warning.
    """
    import av

    try:
        with (
            source.path.open("rb") as file,
            av.open(file, mode="r", format=source.kind.format, metadata_errors="replace") as container,
        ):
            return _reading(source, container, options)
    except av.FFmpegError as error:
        raise _damaged(source, error) from error


def _reading(source: Source, container: "InputContainer", options: ReadOptions) -> Reading:
    line = timeline(source, container, options)
    spans = plan.cut_seconds(line.duration, asked=options.segment_seconds)
    notes = sidecars.notes(source.path)
    warnings = [*notes.warnings, *line.warnings]
    said = _said(source, line, notes, options, spans, warnings)
    told = _told(container, source, notes)
    seen = pictures(container, line, spans, warnings) if line.video is not None else [None] * len(spans)
    modality = Modality.AUDIO if line.video is None else Modality.VIDEO
    if line.audio is None and not any(seen):
        raise refused(source.path, "broken", "no picture in it can be decoded. Copy or convert it again.")
    cut = _clips(source, line, options, spans, warnings)
    segments = tuple(
        Segment(index, modality, Span(start_seconds=start, end_seconds=end), joined([words, *told]), picture, clip)
        for index, ((start, end), words, picture, clip) in enumerate(zip(spans, said, seen, cut, strict=True))
    )
    return Reading(modality, _content_type(source, modality), segments, tuple(warnings), line.duration)


def _clips(
    source: Source, line: Timeline, options: ReadOptions, spans: Spans, warnings: list[str]
) -> Sequence[bytes | None]:
    if not options.clips:
        return [None] * len(spans)
    from nestor.media.clips import clips

    return clips(source, line, spans, warnings, timeout_seconds=options.timeout_seconds)


def _said(
    source: Source,
    line: Timeline,
    notes: sidecars.Notes,
    options: ReadOptions,
    spans: Spans,
    warnings: list[str],
) -> list[str]:
    cues: Sequence[Cue] = [*notes.cues, *line.cues]
    if not cues and notes.transcript:
        return plan.shares(notes.transcript.split(), spans)
    if not cues and options.speech and line.audio is not None:
        from nestor.media.speech import heard

        cues = heard(source)
    said, outside = spread(cues, spans)
    if outside:
        warnings.append(f"{outside} subtitles lie after the end of {source.path.name} and were left out.")
    return said


def _told(container: "InputContainer", source: Source, notes: sidecars.Notes) -> list[str]:
    transcript = cleaned(notes.transcript)
    captions = [text for text in notes.descriptions if cleaned(text) not in transcript]
    return [*captions, *_tags(container), readable_name(source.path)]


def _tags(container: "InputContainer") -> Iterator[str]:
    """Yield the texts of ID3, Vorbis, MP4 and Matroska tags; no encoders."""
    tags: dict[str, str] = {}
    for metadata in (container.metadata, *(stream.metadata for stream in container.streams)):
        for key, value in metadata.items():
            tags.setdefault(key.lower(), value)
    for key in _TAGS:
        text = tags.get(key, "")
        if text and not text.lower().startswith(_ENCODERS):
            yield text


def _content_type(source: Source, modality: Modality) -> str:
    whole, _, kind = source.kind.content_type.partition("/")
    return f"{'audio' if modality is Modality.AUDIO else whole}/{kind}"


def _damaged(source: Source, error: "FFmpegError") -> Exception:
    if error.errno == _END_OF_FILE or ends_early(source):
        return refused(source.path, "truncated", f"{source.kind.name} that ends too early. Copy or save it again.")
    return refused(
        source.path, "broken", f"{source.kind.name} that cannot be opened ({error.strerror}). Copy or convert it again."
    )
