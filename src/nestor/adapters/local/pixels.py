"""What a picture looks like in 64 numbers: where its light, its colours and its edges lie.

Enough to find the same picture again resized, recompressed or recoloured a little, and pictures of alike layout. It
knows nothing of what is shown.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestor.domain import Embedding
from nestor.errors import EmbeddingFailed, MissingExtra

SIZE = 64
_GREY = 128 / 255
_FAINT = 0.02
_SIDE = 32
_LIGHT, _COLOUR, _GRID, _ANGLES = 20, 6, 2, 8  # 20 + 2*6 + 2*2*8 = 64


def features(picture: bytes) -> Embedding:
    """Return the picture's 64 components, of unit length, or zero for an even grey.

    Raises EmbeddingFailed when the bytes are no picture.
    """
    light, blue, red = _planes(picture)
    parts = np.concatenate(
        [
            0.7 * _bounded(_layout(light)[1 : _LIGHT + 1], floor=1.0),
            0.5 * _bounded(np.concatenate([_layout(blue)[:_COLOUR], _layout(red)[:_COLOUR]]), floor=1.0),
            0.5 * _bounded(_edges(light), floor=0.1),
        ]
    )
    length = float(np.linalg.norm(parts))
    return (parts / length if length > _FAINT else np.zeros(SIZE)).astype(np.float32)


def _planes(picture: bytes) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("Pictures need Pillow: pip install pillow") from error
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            small: Any = opened.convert("YCbCr").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EmbeddingFailed(f"The picture of a segment cannot be read: {error}") from error
    planes = np.asarray(small, dtype=np.float64).transpose(2, 0, 1) / 255 - _GREY
    return planes[0], planes[1], planes[2]


def _layout(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the low frequencies of a plane, slowest first: its discrete cosine transform along the diagonals."""
    basis = np.cos(np.pi * np.outer(np.arange(8), np.arange(_SIDE) + 0.5) / _SIDE)
    low = basis @ plane @ basis.T
    down, across = np.indices(low.shape)
    order = np.lexsort((down.ravel(), (down + across).ravel()))
    return np.asarray(low.ravel()[order])


def _edges(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much contrast runs in which direction in each quarter, less the average."""
    down, across = np.gradient(plane)
    angle = ((np.arctan2(down, across) % np.pi) * (_ANGLES / np.pi)).astype(np.intp) % _ANGLES
    row, column = np.indices(plane.shape) * _GRID // _SIDE
    place = (row * _GRID + column) * _ANGLES + angle
    sums = np.bincount(place.ravel(), weights=np.hypot(down, across).ravel(), minlength=_GRID * _GRID * _ANGLES)
    return np.asarray(sums - sums.mean())


def _bounded(part: NDArray[np.float64], *, floor: float) -> NDArray[np.float64]:
    """Return the part at nearly unit length, less where it is so faint that it may be noise."""
    return part / (float(np.linalg.norm(part)) + floor)
