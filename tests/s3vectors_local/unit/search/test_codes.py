"""Codes: scores follow distances within what rounding to int8 takes away, for every shape of rows."""

from collections.abc import Callable

import numpy as np
import pytest

from s3vectors_local.model import Float32, Metric
from s3vectors_local.search.codes import WIDTH, Codes, Encoder, learned, quantised
from s3vectors_local.search.view import grown
from s3vectors_local.storage.slab import Rows

_MAX = float(np.finfo(np.float32).max)
_NOTHING = np.zeros(1, np.float32)


def _steps(reduced: np.ndarray, asked: np.ndarray, codes: Codes, query: Codes) -> np.ndarray:
    """Return by how much a product may be off where each component of both is off by half a step."""
    steps, step = codes.scales.astype(np.float64)[:, None], float(query.scales[0])
    return np.asarray((np.abs(asked) * steps / 2 + np.abs(reduced) * step / 2 + steps * step / 4).sum(axis=1))


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("dimension", [1, 2, 100, WIDTH])
def test_scores_follow_distances(
    drawn: Callable[..., Float32], slabbed: Callable[[Float32], Rows], metric: Metric, dimension: int
) -> None:
    """A component of a code is off by half a step at most, and a score by no more than that comes to."""
    rows = slabbed(drawn(300, dimension, metric))
    encoder = Encoder(metric, dimension)
    codes = encoder.encode(rows["data"], rows["norm"])
    reduced = encoder.reduced(rows["data"], rows["norm"]).astype(np.float64)
    assert codes.values.shape == (300, dimension)
    off = np.abs(codes.values * codes.scales.astype(np.float64)[:, None] - reduced)
    assert (off <= codes.scales[:, None] * 0.50001 + 2e-36).all()
    assert (codes.values * np.sign(reduced) >= 0).all()
    for number in (0, 7, 299):
        query = rows["data"][number] * np.float32(0.9)
        asked = encoder.reduced(query[None], np.array([np.linalg.norm(query.astype(np.float64))]))
        code = quantised(asked, _NOTHING)
        asked = asked.astype(np.float64)
        halves = rows["norm"] ** 2 / 2 if metric is Metric.EUCLIDEAN else np.zeros(300)
        true = np.clip(reduced @ asked[0] - halves, -_MAX, _MAX)
        # For cosine a score leaves the scale of the query out: it moves no row before another.
        scores = codes.scores(encoder.ask(query)) * (1.0 if metric is Metric.EUCLIDEAN else float(code.scales[0]))
        assert np.isfinite(scores).all()
        room = _steps(reduced, asked, codes, code) + (np.abs(true) + halves) * 1e-6 + 1e-33
        assert (np.abs(scores - true) <= room).all()


def test_a_prefix_is_an_embedding_of_its_own(slabbed: Callable[[Float32], Rows]) -> None:
    """By cosine, what follows the first 384 components has no part in a code, not even in its length."""
    rows = np.random.default_rng(0).standard_normal((50, 500)).astype(np.float32)
    other = rows.copy()
    other[:, WIDTH:] *= 100
    encoder = Encoder(Metric.COSINE, 500)
    one, two = (encoder.encode(each["data"], each["norm"]) for each in (slabbed(rows), slabbed(other)))
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.scales, two.scales)


@pytest.mark.parametrize("metric", list(Metric))
def test_a_learned_projection_keeps_what_is_there(slabbed: Callable[[Float32], Rows], metric: Metric) -> None:
    """Rows that lie in fewer than 384 directions, none of them along a component, are scored as they are near."""
    draw = np.random.default_rng(1)
    directions = draw.standard_normal((100, 700))
    data = (draw.standard_normal((900, 100)) @ directions).astype(np.float32)
    rows = slabbed(data)
    projection = learned(data)
    np.testing.assert_allclose(projection @ projection.T, np.eye(WIDTH), atol=1e-4)
    encoder = Encoder(metric, 700, projection)
    scores = encoder.encode(data, rows["norm"]).scores(encoder.ask(data[5]))
    wide = data.astype(np.float64)
    true = wide @ wide[5]
    true = true - rows["norm"] ** 2 / 2 if metric is Metric.EUCLIDEAN else true / rows["norm"]
    assert np.corrcoef(scores, true)[0, 1] > 0.999
    assert scores.argmax() == 5


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("metric", list(Metric))
def test_alone_as_among_others(slabbed: Callable[[Float32], Rows], metric: Metric, projected: bool) -> None:
    """A row has the same code, but for the last step, whether it is encoded alone or among others."""
    data = np.random.default_rng(2).standard_normal((600, 450)).astype(np.float32)
    rows = slabbed(data)
    encoder = Encoder(metric, 450, learned(data) if projected else None)
    together = encoder.encode(rows["data"], rows["norm"])
    for number in (0, 599):
        alone = encoder.encode(rows["data"][number : number + 1], rows["norm"][number : number + 1])
        assert np.abs(alone.values[0].astype(int) - together.values[number]).max() <= 1
        np.testing.assert_allclose(alone.scales[0], together.scales[number], rtol=1e-4)
        np.testing.assert_allclose(alone.penalties[0], together.penalties[number], rtol=1e-6)


@pytest.mark.parametrize("metric", list(Metric))
def test_projections_of_extremes(drawn: Callable[..., Float32], metric: Metric) -> None:
    """A projection of rows near the ends of float32 warns of nothing and gives scores that are numbers."""
    data = drawn(50, 500, metric)
    norms = np.linalg.norm(data.astype(np.float64), axis=1)
    directions, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((500, 20)))
    encoder = Encoder(metric, 500, np.ascontiguousarray(directions.T, np.float32))
    codes = encoder.encode(data, norms)
    for query in (data[0], data[-1]):
        assert np.isfinite(codes.scores(encoder.ask(query))).all()


def test_no_codes() -> None:
    """Of nothing there are no scores."""
    encoder = Encoder(Metric.COSINE, 3)
    none = encoder.encode(np.empty((0, 3), np.float32), np.empty(0))
    assert len(none) == 0
    assert none.scores(encoder.ask(np.ones(3, np.float32))).shape == (0,)


def test_a_tail_grows_in_few_pieces() -> None:
    """Codes that come one by one are all there, in their order, in a number of pieces that grows like a logarithm."""
    draw = np.random.default_rng(4)
    values = draw.integers(-127, 128, (700, 5)).astype(np.int8)
    scales, penalties = draw.random(700, np.float32), draw.random(700, np.float32)
    tail: tuple[Codes, ...] = ()
    for number in range(700):
        part = slice(number, number + 1)
        tail = grown(tail, Codes(values[part], scales[part], penalties[part]))
        assert len(tail) <= 10
    np.testing.assert_array_equal(np.concatenate([piece.values for piece in tail]), values)
    np.testing.assert_array_equal(np.concatenate([piece.scales for piece in tail]), scales)
    np.testing.assert_array_equal(np.concatenate([piece.penalties for piece in tail]), penalties)
