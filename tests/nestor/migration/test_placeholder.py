"""Paths and documents of the placeholder."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nestor.migration.placeholder import FLAT, FOLDERS, Damaged, Place, document, parse, path_of, place_of


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("embeddings-256d/a_mp4_2025/segment_7.json", Place("a_mp4_2025", 7, 256, FOLDERS)),
        ("embeddings-3072d/a_segment_b/segment_0.json", Place("a_segment_b", 0, 3072, FOLDERS)),
        ("embeddings-3072d/a_mp4_segment_12.json", Place("a_mp4", 12, 3072, FLAT)),
        ("embeddings-1024d/a_segment_1_segment_2.json", Place("a_segment_1", 2, 1024, FLAT)),
        ("embeddings-384d/picture_png/segment_None.json", Place("picture_png", 0, 384, FOLDERS)),
        ("my-index-384d/x_segment_0.json", Place("x", 0, 384, FLAT)),
        ("embeddings-512d/x/segment_0.json", Place("x", 0, 512, FOLDERS)),
        ("embeddings-3072d/x/segment_0.json.bak", None),
        ("embeddings-3072d/x/y/segment_0.json", None),
        ("embeddings-3072d/segment_0.json", None),
        ("embeddings-3072d/x/segment_-1.json", None),
        ("readme.txt", None),
    ],
)
def test_a_path_tells_its_place(path: str, place: Place | None) -> None:
    """Both layouts, names with underscores, pictures without a number; anything else is no embedding."""
    assert place_of(path) == place


@pytest.mark.parametrize("layout", [FOLDERS, FLAT])
def test_a_place_gives_its_path_back(layout: str) -> None:
    """What is written is found again."""
    place = Place("0123456789abcdef01234567", 42, 1024, layout)
    assert place_of(path_of(place)) == place


@given(
    arrays.arrays(
        np.float32, 8, elements=st.floats(-1, 1, width=32, allow_subnormal=True).filter(lambda number: number != 0)
    ),
    st.sampled_from([FOLDERS, FLAT]),
)
def test_a_unit_embedding_survives_bit_for_bit(drawn: Any, layout: str) -> None:
    """Written as the shortest digits and read again, by us and by Python's own JSON."""
    unit = (drawn.astype(np.float64) / np.linalg.norm(drawn.astype(np.float64))).astype(np.float32)
    content = document(unit, {}, layout=layout)
    assert parse(content, dimension=8).embedding.tobytes() == unit.tobytes()
    (numbers,) = [value for name, value in json.loads(content).items() if name != "metadata"]
    assert np.array(numbers, np.float32).tobytes() == unit.tobytes()


def test_another_length_is_made_one() -> None:
    """Cosine compares directions; the indexes hold unit rows."""
    found = parse(b'{"embedding": [3, 4.0], "metadata": null}', dimension=2)
    assert found.embedding.tolist() == pytest.approx([0.6, 0.8])
    assert found.metadata == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "broken"),
        (b'{"embedding": [1.0, 0.', "broken"),
        (b'{"embedding": [NaN, 1.0]}', "broken"),
        (b"\xff\xfe", "broken"),
        (b"[1.0, 0.0]", "shape"),
        (b'{"metadata": {}}', "shape"),
        (b'{"embedding": "1.0, 0.0"}', "shape"),
        (b'{"embedding": [1.0, 0.0], "metadata": [1]}', "shape"),
        (b'{"embedding": [1.0]}', "length"),
        (b'{"embedding": []}', "length"),
        (b'{"embedding": [[1.0], [0.0]]}', "numbers"),
        (b'{"embedding": [[1.0], 0.0]}', "numbers"),
        (b'{"embedding": ["1.0", 0.0]}', "numbers"),
        (b'{"embedding": [null, 1.0]}', "numbers"),
        (b'{"embedding": [true, false]}', "numbers"),
        (b'{"embedding": [1e300, 0.0]}', "numbers"),
        (b'{"vector": [0.0, 0]}', "zero"),
    ],
)
def test_what_is_damaged_is_told(content: bytes, reason: str) -> None:
    """Nothing that is not two finite numbers, not both zero, becomes an embedding."""
    with pytest.raises(Damaged) as caught:
        parse(content, dimension=2)
    assert caught.value.reason == reason
