"""Optional parts: letters in pictures, speech in sounds."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from nestor.media import ReadOptions, read


def test_letters_in_a_picture_are_read(tmp_path: Path) -> None:
    """What is written in a picture is in its text."""
    pytest.importorskip("rapidocr")
    image = Image.new("RGB", (600, 120), "white")
    ImageDraw.Draw(image).text((20, 30), "HARBOUR OFFICE", fill="black", font=ImageFont.load_default(48))
    image.save(tmp_path / "1.png")
    assert "HARBOUR" in read(tmp_path / "1.png", ReadOptions(ocr=True)).segments[0].text.upper()
    assert not read(tmp_path / "1.png").segments[0].text


def test_speech_is_recognised(shared_media: Path, tmp_path: Path) -> None:
    """Some words of a clear recording are found, in its segments."""
    pytest.importorskip("pocketsphinx")
    path = tmp_path / "1.wav"
    path.write_bytes((shared_media / "audio" / "sense_and_sensibility_01_austen_64kb-0880.wav").read_bytes())
    text = read(path, ReadOptions(speech=True)).segments[0].text
    assert len({"he", "was", "not", "an", "ill", "disposed", "young", "man"} & set(text.split())) >= 4
