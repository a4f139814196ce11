"""Prefixes of a nested embedding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nestor.domain import DIMENSIONS
from nestor.errors import InvalidEmbedding
from nestor.nesting import nest

COMPONENTS = st.floats(-1e6, 1e6, width=32)
EMBEDDINGS = arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 64)), elements=COMPONENTS)


@given(EMBEDDINGS, st.data())
def test_prefixes_point_the_same_way_and_have_unit_length(batch: np.ndarray, data: st.DataObject) -> None:
    """Each size is float32, of unit length, and the prefix times one positive number a row."""
    length = batch.shape[1]
    dimensions = data.draw(st.lists(st.integers(1, length), min_size=1, unique=True))
    nonzero = batch[np.abs(batch[:, : min(dimensions)]).max(axis=1) > 1e-3]
    for dimension, prefix in nest(nonzero, dimensions).items():
        assert prefix.dtype == np.float32
        assert prefix.shape == (len(nonzero), dimension)
        np.testing.assert_allclose(np.linalg.norm(prefix.astype(np.float64), axis=1), 1, atol=1e-6)
        exact = nonzero[:, :dimension].astype(np.longdouble)
        exact /= np.sqrt((exact**2).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(prefix, exact.astype(np.float64), atol=1e-6)


def test_one_embedding_gives_one_row_a_size() -> None:
    """A vector in gives vectors out, at the four sizes unless told otherwise."""
    embedding = np.linspace(1, 2, 3072)
    nested = nest(embedding)
    assert {dimension: prefix.shape for dimension, prefix in nested.items()} == {d: (d,) for d in DIMENSIONS}


def test_any_subset_of_sizes_in_any_order() -> None:
    """Only the asked sizes come back; each is the same whichever others are asked."""
    embedding = np.random.default_rng(1).normal(size=3072)
    everything = nest(embedding)
    some = nest(embedding, [1024, 256])
    assert list(some) == [1024, 256]
    np.testing.assert_array_equal(some[256], everything[256])


def test_nesting_again_changes_nothing() -> None:
    """The prefix of a prefix is the smaller prefix."""
    embedding = np.random.default_rng(2).normal(size=3072)
    twice = nest(nest(embedding, [1024])[1024], [256])[256]
    np.testing.assert_allclose(twice, nest(embedding, [256])[256], atol=1e-7)


def test_subnormal_components_still_have_a_direction() -> None:
    """Their squares are zero in float32, the direction is not lost."""
    tiny = np.full(4, 1e-40, dtype=np.float32)
    np.testing.assert_allclose(nest(tiny, [4])[4], 0.5, rtol=1e-3)


@pytest.mark.parametrize(
    ("embedding", "dimensions", "complaint"),
    [
        pytest.param([0.0, 0.0, 1.0], [2], "first 2 components are all zero", id="zero prefix"),
        pytest.param([[1.0, 0.0], [0.0, 1.0]], [1], "all zero", id="zero prefix in one row of a batch"),
        pytest.param([1.0, float("nan")], [1], "NaN or infinite", id="NaN beyond the prefix too"),
        pytest.param([1.0, float("inf")], [2], "NaN or infinite", id="infinity"),
        pytest.param([1.0, 1e300], [2], "NaN or infinite", id="infinite once it is float32"),
        pytest.param([1.0, 2.0], [3], "Cannot take 3 components", id="too long"),
        pytest.param([1.0, 2.0], [0], "Cannot take 0 components", id="nothing"),
        pytest.param([], [1], "Cannot take 1 components", id="empty"),
        pytest.param(1.0, [1], "shape", id="a number"),
    ],
)
def test_refuses_what_has_no_direction(embedding: object, dimensions: list[int], complaint: str) -> None:
    """Zero, not finite or too short: InvalidEmbedding says which."""
    with pytest.raises(InvalidEmbedding, match=complaint):
        nest(embedding, dimensions)  # type: ignore[arg-type]
