"""Images to one segment: the picture, and the words in and beside the file."""

import html
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nestor.domain import Modality, Reading, Segment, Span
from nestor.media import sidecars
from nestor.media.jpeg import jpeg
from nestor.media.options import ReadOptions
from nestor.media.source import Source, refused
from nestor.media.wording import cleaned, joined, readable_name

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

_ONE_AT_A_TIME = threading.Lock()
"""Filters of warnings belong to the whole process."""
_EXIF_TEXTS = (0x010E, 0x013B)
"""ImageDescription, Artist."""
_EXIF_WINDOWS = (0x9C9B, 0x9C9F, 0x9C9C, 0x9C9E)
"""XPTitle, XPSubject, XPComment, XPKeywords, in UTF-16."""
_EXIF_SUB, _USER_COMMENT = 0x8769, 0x9286
_IPTC = ((2, 5), (2, 105), (2, 120), (2, 25), (2, 80))
"""Title, headline, caption, keywords, by-line."""
_PNG = ("Title", "Description", "Comment", "Author", "Keywords")
_XMP = re.compile(r"<dc:(title|description|subject|creator)\b[^>]*>(.*?)</dc:\1>", re.DOTALL)
_XMP_ITEM = re.compile(r"<rdf:li\b[^>]*>(.*?)</rdf:li>", re.DOTALL)
_CAMERA_TEXT = re.compile(
    r"olympus digital camera|sony dsc|dcf 1\.0|digital camera|kodak .*|minolta .*|samsung|untitled|"
    r"lead technologies.*|(?:created|file written|compressed) (?:with|by) .*|.*gimp.*|.*lavc\d.*",
    re.IGNORECASE,
)


def read_image(source: Source, options: ReadOptions) -> Reading:
    """Return the first frame, upright, as one segment. Raises UnreadableFile: oversized, truncated, broken."""
    notes = sidecars.notes(source.path)
    picture, written, left_out = _load(source, options)
    seen = _seen(picture, options)
    text = joined([*notes.descriptions, notes.transcript, *written, seen, readable_name(source.path)])
    segment = Segment(0, Modality.IMAGE, Span(), text, picture)
    return Reading(Modality.IMAGE, source.kind.content_type, (segment,), notes.warnings + left_out)


def _load(source: Source, options: ReadOptions) -> tuple[bytes, list[str], tuple[str, ...]]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged metadata; the bound on pixels is our own
        try:
            with Image.open(source.path, formats=[source.kind.format]) as image:
                _check_pixels(source, image.width * image.height, options)
                image.draft("RGB", (options.image_side, options.image_side))
                image.load()
                picture = jpeg(ImageOps.exif_transpose(image), side=options.image_side)
                return picture, list(_written(image)), _left_out(image)
        except Image.DecompressionBombError as error:
            limit = f"it has far more pixels than the {options.max_pixels:,} of max_pixels. Scale it down."
            raise refused(source.path, "oversized", limit) from error
        except UnidentifiedImageError as error:
            raise refused(
                source.path, "broken", f"{source.kind.name} begins here, but it is damaged or cut off. Save it again."
            ) from error
        except (OSError, SyntaxError, EOFError, struct.error) as error:
            raise _damaged(source, error) from error


def _check_pixels(source: Source, pixels: int, options: ReadOptions) -> None:
    if pixels > options.max_pixels:
        raise refused(
            source.path,
            "oversized",
            f"it has {pixels:,} pixels, more than the {options.max_pixels:,} of max_pixels. Scale it down.",
        )


def _left_out(image: "ImageFile") -> tuple[str, ...]:
    """Tell of the other pages of a TIFF; the frames of an animation look alike."""
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    return (f"Only the first of its {pages:,} pages was read. Save it as PDF to read all.",) if pages > 1 else ()


def _damaged(source: Source, error: Exception) -> Exception:
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return refused(source.path, "truncated", f"{source.kind.name} that ends too early. Copy or save it again.")
    return refused(source.path, "broken", f"{source.kind.name} that cannot be decoded ({error}). Save it again.")


def _seen(picture: bytes, options: ReadOptions) -> str:
    if not options.ocr:
        return ""
    from nestor.media.ocr import letters

    return letters(picture)


def _written(image: "ImageFile") -> Iterator[str]:
    """Yield the titles, descriptions, keywords and names in EXIF, IPTC, XMP and PNG fields; no places, no cameras."""
    for text in (*_exif(image), *_iptc(image), *_xmp(image), *_fields(image)):
        words = cleaned(text)
        if words and not _CAMERA_TEXT.fullmatch(words):
            yield words


def _exif(image: "Image") -> Iterator[str]:
    exif = image.getexif()
    for tag in _EXIF_TEXTS:
        if isinstance(text := exif.get(tag), str):
            yield _mended(text)
    for tag in _EXIF_WINDOWS:
        if isinstance(data := exif.get(tag), bytes):
            yield data.decode("utf-16-le", "ignore").replace(";", ", ")
    comment = exif.get_ifd(_EXIF_SUB).get(_USER_COMMENT)
    if isinstance(comment, bytes):
        yield _user_comment(comment)


def _mended(text: str) -> str:
    """EXIF texts are read as Latin-1 by Pillow, while most programs write UTF-8."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _user_comment(data: bytes) -> str:
    code, body = data[:8], data[8:]
    return body.decode("utf-16" if code.startswith(b"UNICODE") else "utf-8", "ignore")


def _iptc(image: "ImageFile") -> Iterator[str]:
    from PIL.IptcImagePlugin import getiptcinfo

    fields = (getiptcinfo(image) if image.format in {"JPEG", "TIFF"} else None) or {}
    for key in _IPTC:
        value = fields.get(key, b"")
        values = value if isinstance(value, list) else [value]
        yield ", ".join(item.decode("utf-8", "replace") for item in values)


def _xmp(image: "Image") -> Iterator[str]:
    data = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    packet = data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
    for field in _XMP.finditer(packet[: 1 << 20]):
        yield ", ".join(html.unescape(item) for item in _XMP_ITEM.findall(field[2]))


def _fields(image: "Image") -> Iterator[str]:
    for key in _PNG:
        if isinstance(text := image.info.get(key), str):
            yield text
    comment = image.info.get("comment")
    if isinstance(comment, bytes):
        yield comment.decode("utf-8", "ignore")
