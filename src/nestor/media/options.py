"""How files are cut into segments, and how large they may be; checked when made."""

import importlib.util
from dataclasses import dataclass

from nestor.errors import InvalidInput, MissingExtra

MAX_PIXELS = 89_478_485
"""Pillow warns of a decompression bomb above this."""
MAX_SECONDS = 43_020.0
"""1,434 segments of 30 s: more can not be cut within the model's limits."""
MAX_TEXT_CHARACTERS = 57_000_000
"""1,900 segments filled to three fifths of 50,000 characters, the least a cut leaves in one."""

IMAGE_SIDE = 768
LARGE_IMAGE_SIDE = 1_568
"""Small print on a page can still be read, and a page stays far below what a call to a model holds."""

_RANGES: dict[str, tuple[float, float]] = {
    "segment_characters": (800, 50_000),
    "segment_seconds": (1, 30),
    "max_bytes": (1, 1 << 40),
    "max_pixels": (1, MAX_PIXELS),
    "max_pages": (1, 100_000),
    "max_seconds": (1, MAX_SECONDS),
    "max_text_characters": (1, MAX_TEXT_CHARACTERS),
    "timeout_seconds": (0.1, 86_400),
    "image_side": (64, LARGE_IMAGE_SIDE),
}
_EXTRAS = {"ocr": ("rapidocr", "onnxruntime"), "speech": ("pocketsphinx",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What shapes the segments, and the bounds of a file. Raises InvalidInput when a value is out of its range."""

    segment_characters: int = 1000
    """Most characters of a text segment; more where a long text would exceed the model's 1,900 segments."""
    segment_seconds: float = 5.0
    """Length of an audio or video segment; longer where the medium would exceed the model's 1,434 segments."""
    max_bytes: int = 512 << 20
    max_pixels: int = 64_000_000
    max_pages: int = 2_000
    max_seconds: float = 7_200.0
    max_text_characters: int = 50_000_000
    timeout_seconds: float = 120.0
    """Wall-clock time for one file in a ReaderPool; `read` itself sets no limit."""
    ocr: bool = False
    """Read the letters in images and in pages without text; needs the extra `ocr`."""
    speech: bool = False
    """Recognise English speech where no subtitles are; needs the extra `speech`. A best effort, which takes about
    a seventh of the time that the medium lasts: allow more timeout_seconds for more than ten minutes."""

    clips: bool = False
    """Give each audio or video segment its seconds as a small file of their own, for embedders that see and hear. Takes
    at most three fifths of timeout_seconds; what is not done by then has none, and a warning says so."""
    image_side: int = IMAGE_SIDE
    """Longer side, in pixels, of the pictures of images and pages; those of videos keep to 768."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidInput(f"{name} must be from {low:,g} to {high:,g}, not {value!r}.")


def extras() -> dict[str, bool]:
    """Return for each optional part (`ocr`, `speech`) whether it is installed."""
    return {extra: not _missing(extra) for extra in _EXTRAS}


def require_extras(options: ReadOptions) -> None:
    """Raise MissingExtra when the options ask for a part that is not installed."""
    for extra in _EXTRAS:
        if getattr(options, extra) and (missing := _missing(extra)):
            raise MissingExtra(f"{extra} needs what is not installed: pip install {' '.join(missing)}")


def _missing(extra: str) -> list[str]:
    return [module for module in _EXTRAS[extra] if importlib.util.find_spec(module) is None]
