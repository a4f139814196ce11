"""A full embedding as a short text."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestor import codes
from nestor.domain import Embedding, Manifest, Modality, Segment, Span, Status
from nestor.metadata import HIT_BYTES, coded, metadata_of


def rows(count: int, *, seed: int = 0) -> Embedding:
    """Return rows of unit length."""
    drawn = np.random.default_rng(seed).standard_normal((count, 3072)).astype(np.float32)
    unit: Embedding = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


@given(seed=st.integers(0, 2**32), power=st.integers(-30, 30))
def test_a_code_tells_each_component_within_half_a_step(seed: int, power: int) -> None:
    """Whatever the length of the embedding: the steps are squares of whole numbers, half a one off at most."""
    full = (rows(2, seed=seed) * np.float32(2.0**power)).astype(np.float32)
    back = codes.decode([content for code in codes.encode(full) if (content := codes.raw(code))])
    scale = np.abs(full).max(axis=1, keepdims=True) / 127**2
    assert (np.abs(back - full) <= scale * (np.sqrt(np.abs(full) / scale) + 0.26)).all()


@pytest.mark.parametrize("dimension", [256, 1024, 3072])
def test_similarities_are_those_of_the_prefixes(dimension: int) -> None:
    """To about a thousandth, against float64 arithmetic on the embeddings."""
    full, question = rows(50), rows(1, seed=9)[0]
    wide = full[:, :dimension].astype(np.float64)
    asked = question[:dimension].astype(np.float64)
    exact = wide @ asked / np.linalg.norm(wide, axis=1) / np.linalg.norm(asked)
    raws = [content for code in codes.encode(full) if (content := codes.raw(code))]
    found = codes.similarities(raws, (asked / np.linalg.norm(asked)).astype(np.float32))
    assert np.abs(found - exact).max() < 1e-3 * (3072 / dimension) ** 0.5


def test_one_large_component_takes_little_from_the_others() -> None:
    """As the embeddings of the local embedder have them: similarities stay within a thousandth."""
    full, question = rows(50), rows(1, seed=9)[0]
    full[:, 7] = 0.4  # others are near 0.02
    question[7] = 0.0
    raws = [content for code in codes.encode(full) if (content := codes.raw(code))]
    exact = full @ question / np.linalg.norm(full, axis=1)
    assert np.abs(codes.similarities(raws, question) - exact).max() < 1.2e-3


def test_a_code_has_4104_characters() -> None:
    """The size that the docs tell."""
    assert {len(code) for code in codes.encode(rows(3))} == {4104}


@pytest.mark.parametrize("code", [None, 7, "", "AAAA", "not base64!", "A" * 4104, "é" * 4104])
def test_what_is_no_code_has_no_bytes(code: object) -> None:
    """Missing, of another kind, cut off, damaged, or all zero."""
    assert codes.raw(code) is None


@given(text=st.text(max_size=3000), name=st.text(min_size=1, max_size=150), uri=st.integers(0, 300))
def test_a_hit_with_its_code_stays_under_5_kb(text: str, name: str, uri: int) -> None:
    """Key and metadata as JSON, whatever has to be escaped; only the end of the text gives way."""
    manifest = Manifest(
        uri="file:///" + "d" * uri, status=Status.STORED, segments=1, file_name=name, content_type="text/plain"
    )
    metadata = metadata_of(manifest, Segment(0, Modality.TEXT, Span(), text))
    (code,) = codes.encode(rows(1))
    found = coded(metadata, code, key="0123456789_segment_0")
    size = len(json.dumps(dict(found), ensure_ascii=False, separators=(",", ":")).encode()) + 20
    if "code" in found:
        assert size <= HIT_BYTES
        assert str(metadata.get("text", "")).startswith(str(found.get("text", "")))
        assert {**found, "text": 0, "code": 0} == {**metadata, "text": 0, "code": 0}
    else:
        assert found == metadata
        assert size + 4104 > HIT_BYTES - 40


def test_text_that_fits_is_kept_whole() -> None:
    """As much as there is room for: within a character of the limit."""
    manifest = Manifest(uri="file:///a.txt", status=Status.STORED, segments=1, file_name="a.txt")
    (code,) = codes.encode(rows(1))
    for text in ("short", "long " * 400):
        found = coded(metadata_of(manifest, Segment(0, Modality.TEXT, Span(), text)), code, key="k")
        size = len(json.dumps(dict(found), separators=(",", ":"))) + 1
        assert found["text"] == text if text == "short" else HIT_BYTES - 6 <= size <= HIT_BYTES


@pytest.mark.parametrize(
    "text", ['"' * 2_000, "\\\n" * 900, "é" * 1_000, "\x01" * 1_500], ids=["quote", "line", "é", "ctrl"]
)
def test_text_that_grows_when_written_is_cut_by_what_it_takes(text: str) -> None:
    """Escaped characters count as they are sent; the row keeps its code."""
    manifest = Manifest(uri="file:///a.txt", status=Status.STORED, segments=1, file_name="a.txt")
    (code,) = codes.encode(rows(1))
    found = coded(metadata_of(manifest, Segment(0, Modality.TEXT, Span(), text)), code, key="k")
    size = len(json.dumps(dict(found), ensure_ascii=False, separators=(",", ":")).encode()) + 1
    assert HIT_BYTES - 8 <= size <= HIT_BYTES
    assert found["code"] == code
