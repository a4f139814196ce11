"""Images."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from nestor.domain import Modality, Span
from nestor.errors import UnreadableFile
from nestor.media import ReadOptions, read

Make = Callable[..., Path]


def picture(path: Path) -> Image.Image:
    """Return the picture that the segment carries."""
    return Image.open(io.BytesIO(read(path).segments[0].image or b""))


@pytest.mark.parametrize(
    ("name", "mode", "content_type"),
    [
        ("a.jpg", "RGB", "image/jpeg"),
        ("a.jpg", "L", "image/jpeg"),
        ("a.jpg", "CMYK", "image/jpeg"),
        ("a.png", "RGBA", "image/png"),
        ("a.png", "P", "image/png"),
        ("a.png", "LA", "image/png"),
        ("a.png", "1", "image/png"),
        ("a.gif", "P", "image/gif"),
        ("a.webp", "RGBA", "image/webp"),
        ("a.bmp", "RGB", "image/bmp"),
        ("a.tif", "CMYK", "image/tiff"),
        ("a.tif", "F", "image/tiff"),
        ("a.avif", "RGB", "image/avif"),
    ],
)
def test_every_format_and_mode_becomes_a_jpeg(make_image: Make, name: str, mode: str, content_type: str) -> None:
    """One segment, dark on the left and light on the right as it was drawn."""
    path = make_image(name, mode=mode)
    reading = read(path)
    assert (reading.modality, reading.content_type, len(reading.segments)) == (Modality.IMAGE, content_type, 1)
    assert reading.segments[0].span == Span()
    shown = picture(path)
    assert (shown.format, shown.size) == ("JPEG", (120, 80))
    grey = shown.convert("L")
    assert grey.getpixel((20, 40)) == pytest.approx(0, abs=90)
    assert grey.getpixel((100, 40)) == pytest.approx(255, abs=75)


@pytest.mark.parametrize(("name", "mode"), [("scan.png", "I;16"), ("scan.tif", "I;16"), ("scan.tif", "I")])
def test_sixteen_bits_are_brought_into_range(tmp_path: Path, name: str, mode: str) -> None:
    """Half of the range of 16 bits is a middle grey, not white."""
    path = tmp_path / name
    Image.frombytes("I;16", (8, 8), struct.pack("<64H", *[32768] * 64)).convert(mode).save(path)
    grey = picture(path).convert("L").getpixel((4, 4))
    assert grey == pytest.approx(128, abs=3)


def test_large_pictures_are_scaled_and_small_ones_are_not(make_image: Make) -> None:
    """The longer side is at most 768 pixels."""
    assert picture(make_image("a.png", size=(3000, 1500))).size == (768, 384)
    assert picture(make_image("b.jpg", size=(1500, 3000))).size == (384, 768)
    assert picture(make_image("c.png", size=(10, 5))).size == (10, 5)
    assert picture(make_image("d.png", size=(4000, 1))).size == (768, 1)


def test_transparent_is_white(tmp_path: Path) -> None:
    """Also where the colour under it is black."""
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert picture(tmp_path / "clear.png").convert("L").getpixel((5, 5)) == 255


def test_a_photo_is_turned_upright_and_tells_no_place(make_image: Make) -> None:
    """EXIF orientation is applied; the JPEG carries no EXIF, so no GPS either."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    path = make_image("a.jpg", exif=exif)
    assert picture(path).size == (80, 120)
    assert not picture(path).getexif()


def test_the_first_frame_of_an_animation_is_shown(tmp_path: Path) -> None:
    """A GIF that turns from white to black is white."""
    frames = [Image.new("L", (9, 9), level) for level in (255, 0)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert picture(tmp_path / "a.gif").convert("L").getpixel((4, 4)) == 255


def test_words_in_exif_are_read(make_image: Make) -> None:
    """Description, artist, what Windows writes; mended where it is UTF-8; without the phrases of cameras."""
    exif = Image.Exif()
    exif[0x010E] = "Der größte Turm".encode()
    exif[0x013B] = "Ada Marsh"
    exif[0x9C9E] = "tower;sea".encode("utf-16-le")
    assert read(make_image("IMG_0001.jpg", exif=exif)).segments[0].text == "Der größte Turm\nAda Marsh\ntower, sea"
    exif = Image.Exif()
    exif[0x010E] = "OLYMPUS DIGITAL CAMERA         "
    assert not read(make_image("IMG_0002.jpg", exif=exif)).segments[0].text


def test_words_in_xmp_and_png_fields_are_read(tmp_path: Path) -> None:
    """Title and subject of XMP; Title and Description of PNG."""
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">'
        "Low &amp; high tide</rdf:li></rdf:Alt></dc:title><dc:subject><rdf:Bag><rdf:li>sea</rdf:li>"
        "<rdf:li>moon</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    Image.new("RGB", (9, 9)).save(tmp_path / "1.jpg", xmp=xmp.encode())
    assert read(tmp_path / "1.jpg").segments[0].text == "Low & high tide\nsea, moon"
    fields = PngImagePlugin.PngInfo()
    fields.add_text("Title", "A pier")
    fields.add_itxt("Description", "Wood über water")
    Image.new("RGB", (9, 9)).save(tmp_path / "2.png", pnginfo=fields)
    assert read(tmp_path / "2.png").segments[0].text == "A pier\nWood über water"


def test_words_in_iptc_are_read(tmp_path: Path) -> None:
    """Caption and keywords as picture agencies write them."""
    records = b"".join(
        b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text
        for number, text in [(120, b"Boats in the harbour"), (25, b"boats"), (25, b"harbour")]
    )
    block = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(records)) + records + b"\x00" * (len(records) % 2)
    app13 = b"Photoshop 3.0\x00" + block
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "JPEG")
    data = out.getvalue()
    (tmp_path / "3.jpg").write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(app13) + 2) + app13 + data[2:])
    assert read(tmp_path / "3.jpg").segments[0].text == "Boats in the harbour\nboats, harbour"


def test_a_cut_picture_is_truncated(make_image: Make) -> None:
    """Half a JPEG or PNG is not shown as if it were whole."""
    for name in ("a.jpg", "a.png", "a.webp", "a.gif"):
        path = make_image(name, size=(500, 400), mode="RGB" if name != "a.gif" else "P")
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 2 // 3])
        with pytest.raises(UnreadableFile) as caught:
            read(path)
        assert caught.value.reason in {"truncated", "broken"}
        assert caught.value.reason == "truncated" or name != "a.jpg"


def test_a_picture_of_too_many_pixels_is_never_decoded(tmp_path: Path) -> None:
    """A header that promises 50,000 x 50,000 pixels is enough to refuse it; so is one over the bound."""
    Image.new("1", (3000, 3000)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableFile, match="max_pixels") as caught:
        read(tmp_path / "a.png", ReadOptions(max_pixels=8_999_999))
    assert caught.value.reason == "oversized"
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = struct.pack(">II", 50_000, 50_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "b.png").write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"than the 64,000,000 of max_pixels\. Scale it down") as caught:
        read(tmp_path / "b.png")
    assert caught.value.reason == "oversized"


def test_the_other_pages_of_a_tiff_are_not_lost_silently(tmp_path: Path) -> None:
    """A scan of two pages gives its first, and a warning."""
    pages = [Image.new("L", (9, 9), level) for level in (255, 0)]
    pages[0].save(tmp_path / "fax.tif", save_all=True, append_images=pages[1:])
    assert "first of its 2 pages" in read(tmp_path / "fax.tif").warnings[0]
