"""Pictures to the JPEG that a segment carries."""

import io
from typing import TYPE_CHECKING

from nestor.media.options import IMAGE_SIDE

if TYPE_CHECKING:
    from PIL.Image import Image

_QUALITY = 85
_WHITE = (255, 255, 255)


def jpeg(image: "Image", *, side: int = IMAGE_SIDE) -> bytes:
    """Return the picture as JPEG, at most `side` pixels on its longer side; what is transparent becomes white.

    The picture that was given may be scaled down by it.
    """
    small = _eight_bits(image)
    small.thumbnail((side, side), reducing_gap=2.0)
    out = io.BytesIO()
    _flat(small).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _eight_bits(image: "Image") -> "Image":
    """Return a mode that can be scaled: L, RGB, RGBA or CMYK. Sixteen bits and floats are brought into range."""
    if image.mode in {"L", "RGB", "RGBA", "CMYK"} and "transparency" not in image.info:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return _ranged(image)
    if image.mode in {"P", "PA", "LA", "La", "RGBa", "1", "L", "RGB"}:
        return image.convert("RGBA")
    return image.convert("RGB")


def _ranged(image: "Image") -> "Image":
    """Scale to 0..255 by the type's own range, or by the values where they exceed it."""
    values = image.convert("F")
    low, high = values.getextrema()
    assert isinstance(low, float)  # noqa: S101  # mode F has one band
    assert isinstance(high, float)  # noqa: S101
    floor, top = (0.0, 65535.0) if image.mode.startswith("I;16") or 255 < high <= 65535 else (low, high)
    span = (top - floor) or 1.0
    return values.point(lambda value: value * (255.0 / span) + (-floor * 255.0 / span)).convert("L")


def _flat(image: "Image") -> "Image":
    from PIL import Image

    if image.mode != "RGBA":
        return image if image.mode in {"L", "RGB"} else image.convert("RGB")
    flat = Image.new("RGB", image.size, _WHITE)
    flat.paste(image, mask=image.getchannel("A"))
    return flat
