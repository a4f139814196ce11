"""Text files to segments with exact character positions."""

from collections.abc import Iterator
from pathlib import Path

from nestor.domain import Modality, Reading, Segment, Span
from nestor.media import plan
from nestor.media.cut import cut
from nestor.media.decode import NotText, decode
from nestor.media.markup import visible_text
from nestor.media.options import ReadOptions
from nestor.media.source import Source, refused


def read_text(source: Source, options: ReadOptions) -> Reading:
    """Return the text in segments; `decoded_text(...)[0][start_char:end_char]` is exactly the text of each.

    A table's rows are kept whole where they fit; its header is not repeated, so that positions stay exact.
    """
    text, warnings = decoded_text(source, options)
    segments = tuple(text_segments(source, text, options, modality=Modality.TEXT))
    return Reading(Modality.TEXT, source.kind.content_type, segments, warnings)


def decoded_text(source: Source, options: ReadOptions) -> tuple[str, tuple[str, ...]]:
    """Return the text that positions count in, and what was guessed. For HTML it is the visible text."""
    if source.path.stat().st_size > 4 * options.max_text_characters + 4:
        raise _too_long(source.path, options)
    try:
        text, warnings = decode(source.path.read_bytes())
    except NotText as error:
        raise refused(
            source.path, "unsupported", f"it begins like a text but is not one ({error}). Save it as UTF-8."
        ) from error
    return (visible_text(text) if source.kind.format == "html" else text), warnings


def text_segments(source: Source, text: str, options: ReadOptions, *, modality: Modality) -> Iterator[Segment]:
    """Yield the segments of a text. Raises UnreadableFile: empty, oversized."""
    if len(text) > options.max_text_characters:
        raise _too_long(source.path, options)
    if not text or text.isspace():
        raise refused(source.path, "empty", "it has no text.")
    limit = plan.segment_characters(len(text), asked=options.segment_characters)
    for index, (start, end) in enumerate(cut(text, limit=limit, flavour=source.kind.format)):
        yield Segment(index, modality, Span(start_char=start, end_char=end), text[start:end])


def _too_long(path: Path, options: ReadOptions) -> Exception:
    return refused(
        path,
        "oversized",
        f"it has more than the {options.max_text_characters:,} characters of max_text_characters. Split it.",
    )
