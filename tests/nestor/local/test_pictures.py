"""Pictures: found again when altered, found by their captions, never without a direction."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from nestor.adapters.local import LocalEmbedder
from nestor.adapters.local.pixels import SIZE, features
from nestor.domain import DIMENSIONS, Segment
from nestor.errors import EmbeddingFailed
from nestor.nesting import nest

CAPTIONS = ["a red bicycle leaning on a wall", "two giraffes eating leaves", "a bowl of soup with bread"]

ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized": lambda picture: picture.resize((96, 72)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
    "recoloured": lambda picture: ImageEnhance.Color(picture).enhance(0.5),
    "cropped": lambda picture: picture.crop((8, 6, 232, 174)),
}


@pytest.mark.parametrize("size", DIMENSIONS)
@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_picture_finds_its_original(
    how: str,
    size: int,
    embedder: LocalEmbedder,
    pictures: list[Image.Image],
    segment: Callable[..., Segment],
    jpeg: Callable[..., bytes],
) -> None:
    """Each of twenty, at each size, though the stored ones have captions and the question has a file name."""
    stored = [segment(f"picture number {n}", image=jpeg(picture)) for n, picture in enumerate(pictures)]
    rows = nest(embedder.embed_segments(stored), [size])[size]
    for number, picture in list(enumerate(pictures))[::4]:
        asked = segment("query.jpg", image=jpeg(ALTERED[how](picture), quality=60))
        question = nest(embedder.embed_segments_query([asked]), [size])[size]
        assert int((rows @ question).argmax()) == number


@pytest.mark.parametrize("size", DIMENSIONS)
def test_words_find_the_captioned_picture(
    size: int,
    embedder: LocalEmbedder,
    pictures: list[Image.Image],
    segment: Callable[..., Segment],
    jpeg: Callable[..., bytes],
) -> None:
    """What a picture looks like does not hide what is said of it."""
    stored = [segment(text, image=jpeg(picture)) for text, picture in zip(CAPTIONS, pictures, strict=False)]
    rows = nest(embedder.embed_segments(stored), [size])[size]
    for number, question in enumerate(["bike against a wall", "tall animals feeding on a tree", "hot food for lunch"]):
        assert int((rows @ nest(embedder.embed_text_query(question), [size])[size]).argmax()) == number


def test_pictures_without_words_differ(
    embedder: LocalEmbedder, pictures: list[Image.Image], segment: Callable[..., Segment], jpeg: Callable[..., bytes]
) -> None:
    """They are not all the embedding of the empty text."""
    rows = nest(embedder.embed_segments([segment("", image=jpeg(picture)) for picture in pictures]))[384]
    assert (rows @ rows.T - np.eye(len(rows))).max() < 0.9


def test_a_blank_picture_counts_as_none(
    embedder: LocalEmbedder, segment: Callable[..., Segment], jpeg: Callable[..., bytes]
) -> None:
    """One even grey has neither light nor colour nor edges to compare."""
    grey = jpeg(Image.new("RGB", (50, 50), (128, 128, 128)))
    rows = embedder.embed_segments([segment("", image=grey), segment("")])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_any_kind_of_picture_has_features(mode: str) -> None:
    """Of unit length, whatever its pixels are."""
    buffer = _tiff(Image.linear_gradient("L").convert("RGB" if mode in {"P", "CMYK"} else "L"), mode)
    assert features(buffer).shape == (SIZE,)
    assert np.linalg.norm(features(buffer)) == pytest.approx(1, abs=1e-5)


def test_what_is_no_picture_is_refused(embedder: LocalEmbedder, segment: Callable[..., Segment]) -> None:
    """With the embedder's own error."""
    with pytest.raises(EmbeddingFailed, match="cannot be read"):
        embedder.embed_segments([segment("", image=b"\xff\xd8 not a picture")])


def _tiff(picture: Image.Image, mode: str) -> bytes:
    import io

    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, "TIFF")
    return buffer.getvalue()
