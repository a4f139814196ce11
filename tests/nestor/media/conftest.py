"""Real files of every kind, made by the libraries that write them."""

import math
import struct
import wave
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import docx
import numpy as np
import pptx
import pytest
from av.subtitles.subtitle import SubtitleSet
from PIL import Image, ImageDraw

Make = Callable[..., Path]
COLOURS = ("red", "lime", "blue", "yellow", "magenta", "cyan", "white", "orange")


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Return the folder of 281 real items, where this checkout has it."""
    folder = Path(__file__).parents[4] / "shared" / "data" / "media"
    if not (folder / "captions.jsonl").is_file():
        pytest.skip("the collection of real media is not here")
    return folder


@pytest.fixture
def make_image(tmp_path: Path) -> Make:
    """Return a function that writes a picture, by default with a dark left and a light right half."""

    def make(name: str = "picture.png", *, size: tuple[int, int] = (120, 80), mode: str = "RGB", **save: Any) -> Path:
        image = Image.new("RGB", size, "navy")
        ImageDraw.Draw(image).rectangle((size[0] // 2, 0, size[0], size[1]), fill="ivory")
        path = tmp_path / name
        image.convert(mode).save(path, **save)
        return path

    return make


@pytest.fixture
def make_wav(tmp_path: Path) -> Make:
    """Return a function that writes a tone of some seconds."""

    def make(name: str = "tone.wav", *, seconds: float = 3.0, rate: int = 8000) -> Path:
        path = tmp_path / name
        count = round(seconds * rate)
        samples = (round(8000 * math.sin(index * 0.3)) for index in range(count))
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(struct.pack(f"<{count}h", *samples))
        return path

    return make


def _add_sound(container: Any, stream: Any, seconds: float) -> None:
    rate = stream.codec_context.sample_rate
    layout = stream.codec_context.layout.name
    resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
    samples = (8000 * np.sin(np.arange(round(seconds * rate)) * 0.05)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    frame.pts = 0
    for even in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(even))
    container.mux(stream.encode(None))


def _add_pictures(container: Any, stream: Any, seconds: float, rate: int, size: tuple[int, int]) -> None:
    """Every second has a colour of its own; the rightmost quarter is black."""
    for index in range(round(seconds * rate)):
        image = Image.new("RGB", size, COLOURS[index // rate % len(COLOURS)])
        ImageDraw.Draw(image).rectangle((size[0] * 3 // 4, 0, size[0], size[1]), fill="black")
        frame: Any = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
        frame.pts = index
        frame.time_base = Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _add_subtitles(container: Any, stream: Any, cues: Sequence[tuple[float, float, str]]) -> None:
    for number, (start, end, text) in enumerate(cues):
        event = f"{number},0,Default,,0,0,0,,{text}".encode()
        subtitle = SubtitleSet.create(event, 0, round((end - start) * 1000))
        packet = stream.codec_context.encode_subtitle(subtitle)
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = round(start * 1000)
        packet.duration = round((end - start) * 1000)
        packet.stream = stream
        container.mux(packet)


_ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, "
    b"MarginR, MarginV, Encoding\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0\n\n[Events]\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


@pytest.fixture
def make_media(tmp_path: Path) -> Make:
    """Return a function that encodes audio or video with the given codecs, tags and subtitles."""

    def make(
        name: str,
        *,
        seconds: float = 4.0,
        video: str | None = None,
        audio: str | None = None,
        subtitles: Sequence[tuple[float, float, str]] = (),
        subtitle_codec: str = "mov_text",
        tags: dict[str, str] | None = None,
        size: tuple[int, int] = (64, 48),
        rate: int = 10,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(path, "w", options=options or {}) as container:
            container.metadata.update(tags or {})
            pictures: Any = None
            sound: Any = None
            texts: Any = None
            if video:
                pictures = container.add_stream(video, rate=rate)
                pictures.width, pictures.height = size
                pictures.pix_fmt = "yuv420p"
                pictures.options = {"deadline": "realtime", "cpu-used": "8"} if "vpx" in video else {}
            if audio:
                sound = container.add_stream(audio, rate=48000 if "opus" in audio else 44100, layout="stereo")
            if subtitles:
                texts = container.add_stream(subtitle_codec)
                texts.codec_context.subtitle_header = _ASS_HEADER
            if texts is not None:
                container.start_encoding()
                _add_subtitles(container, texts, subtitles)
            if pictures is not None:
                _add_pictures(container, pictures, seconds, rate, size)
            if sound is not None:
                _add_sound(container, sound, seconds)
        return path

    return make


def _pdf(pages: Sequence[str], *, title: str = "", encrypt: str = "") -> bytes:
    """Write a PDF by hand: one line of Helvetica a page."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{4 + 2 * i} 0 R' for i in range(len(pages)))}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        drawn = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    extra = ""
    if title:
        objects.append(f"<< /Title ({title}) >>")
        extra = f" /Info {len(objects)} 0 R"
    if encrypt:
        objects.append(encrypt)
        extra += f" /Encrypt {len(objects)} 0 R /ID [<{'00' * 16}> <{'00' * 16}>]"
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R{extra} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


@pytest.fixture
def make_pdf(tmp_path: Path) -> Make:
    """Return a function that writes a PDF with one line a page."""

    def make(name: str = "paper.pdf", *, pages: Sequence[str] = ("One", "Two"), **parts: str) -> Path:
        path = tmp_path / name
        path.write_bytes(_pdf(pages, **parts))
        return path

    return make


@pytest.fixture
def make_docx(tmp_path: Path) -> Make:
    """Return a function that writes a Word file with a header, paragraphs and a table after them."""

    def make(name: str = "letter.docx", *, paragraphs: Sequence[str] = ("First.", "Second.")) -> Path:
        document = docx.Document()
        document.sections[0].header.paragraphs[0].text = "Harbour office"
        for text in paragraphs:
            document.add_paragraph(text)
        table = document.add_table(rows=2, cols=2)
        for cell, text in zip(
            [*table.rows[0].cells, *table.rows[1].cells], ("ship", "tons", "Ada", "900"), strict=True
        ):
            cell.text = text
        document.add_paragraph("After the table.")
        path = tmp_path / name
        document.save(str(path))
        return path

    return make


@pytest.fixture
def make_pptx(tmp_path: Path) -> Make:
    """Return a function that writes a PowerPoint file: each slide a title and notes, the last one also a table."""

    def make(name: str = "talk.pptx", *, titles: Sequence[str] = ("Tides", "Moon")) -> Path:
        deck = pptx.Presentation()
        last: Any = None
        for title in titles:
            slide = deck.slides.add_slide(deck.slide_layouts[5])
            slide.shapes.title.text = title
            slide.notes_slide.notes_text_frame.text = f"Say more of {title}"
            last = slide
        if titles:
            table = last.shapes.add_table(1, 2, 0, 0, 900000, 900000).table
            table.cell(0, 0).text, table.cell(0, 1).text = "spring", "neap"
        path = tmp_path / name
        deck.save(str(path))
        return path

    return make
